#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "calo/validate/validation.h"

namespace calo {

/// Everything that a report shows, as the page's script takes it (doc/validation.md, "plots.json"): one
/// Geant4 sample, one model. merge_plots() lays several over each other.
/// @param label of the model, for legends
nlohmann::json plot_data(const Validation& validation, const std::string& label);

/// Plots of several models against one Geant4 sample as those of one report.
/// @param plots of plot_data(), at least one
/// @param names of the files they are from, for errors
/// @throws core::InputError if they were not made with the same full simulation, or by another version
nlohmann::json merge_plots(const std::vector<nlohmann::json>& plots, const std::vector<std::string>& names);

}  // namespace calo
