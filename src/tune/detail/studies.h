#pragma once

#include <filesystem>

#include "tune/study.h"

namespace tune {

// As Study::create(), open() and list(), for each kind of database.
std::unique_ptr<Study> create_sqlite_study(const std::filesystem::path& file,
                                           const nlohmann::json& definition);
std::unique_ptr<Study> open_sqlite_study(const std::filesystem::path& file);
std::vector<std::string> list_sqlite_studies(const std::filesystem::path& folder);

std::unique_ptr<Study> create_postgres_study(const std::string& url, const nlohmann::json& definition,
                                             double patience_s);
std::unique_ptr<Study> open_postgres_study(const std::string& url, double patience_s);
std::vector<std::string> list_postgres_studies(const std::string& url);

}  // namespace tune
