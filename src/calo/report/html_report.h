#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "calo/validate/validation.h"

namespace calo {

/// Writes one self-contained HTML file (no network; JSROOT in it draws the plots): a verdict, then every
/// observable of every condition with ratio panel, errors and distances.
/// @throws core::UnavailableError
void write_report(const std::filesystem::path& file, const Validation& validation,
                  const nlohmann::json& provenance);

}  // namespace calo
