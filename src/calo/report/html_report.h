#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "calo/report/page.h"
#include "calo/validate/validation.h"

namespace calo {

/// What a validation says, in a sentence each.
std::vector<VerdictItem> verdict(const Validation& validation);

/// Writes one self-contained HTML file (no network; its script draws the plots): a verdict, then scores,
/// every observable of every condition, and showers to look at.
/// @param plots plot_data() of the validation
/// @throws core::UnavailableError
void write_report(const std::filesystem::path& file, const Validation& validation,
                  const nlohmann::json& plots, const nlohmann::json& provenance);

/// The report of several models against one Geant4 sample.
/// @param plots merge_plots() of theirs
void write_comparison_report(const std::filesystem::path& file, const nlohmann::json& plots,
                             const nlohmann::json& provenance);

/// Scores of several models as a table (Markdown, reads well as text too): the best in bold, those within
/// errors of it in parentheses.
std::string comparison_table(const nlohmann::json& plots);

}  // namespace calo
