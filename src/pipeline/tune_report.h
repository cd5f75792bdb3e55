#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "tune/study.h"

namespace pipeline {

/// The trials of a study as a table for a terminal.
std::string trials_text(const tune::Study& study);
/// The best trial and those that are not worse within errors, or the Pareto front.
std::string best_text(const tune::Study& study);
/// One trial: its name, values and parameters, and the command that runs it again.
std::string best_text(const tune::Trial& trial, const std::string& name);

/// Definition and trials.
nlohmann::json study_json(const tune::Study& study);
/// `best`: numbers of the best trials; `equal`: of those that are not worse within two errors; `settings` of
/// the first.
nlohmann::json best_json(const tune::Study& study);

/// Writes a self-contained HTML page: history, Pareto front, importance, parallel coordinates, curves,
/// trials.
/// @throws core::UnavailableError
void write_study_report(const tune::Study& study, const std::filesystem::path& file);

}  // namespace pipeline
