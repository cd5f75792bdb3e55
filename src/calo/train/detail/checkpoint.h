#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "calo/model/optimizer.h"

namespace calo {

/// Averages of the weights, one for each parameter; empty = none.
using Averages = std::vector<std::vector<float>>;

/// Writes the whole state of a training: every parameter with its moments and average, and `state`. The file
/// is complete or missing.
void write_checkpoint(const std::filesystem::path& file, const std::vector<Parameter>& parameters,
                      const Averages& averages, const nlohmann::json& state);

/// Reads a checkpoint into parameters of the same names and shapes and their averages, unless there are none,
/// and returns the state.
/// @throws core::InputError if it does not match or is damaged; `parameters` and `averages` are unchanged
///         then
nlohmann::json read_checkpoint(const std::filesystem::path& file, std::vector<Parameter>& parameters,
                               Averages& averages);

}  // namespace calo
