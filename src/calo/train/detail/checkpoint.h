#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "calo/model/optimizer.h"

namespace calo {

/// Writes the whole state of a training: every parameter with its moments, and `state`. The file is complete
/// or missing.
void write_checkpoint(const std::filesystem::path& file, const std::vector<Parameter>& parameters,
                      const nlohmann::json& state);

/// Reads a checkpoint into parameters of the same names and shapes, and returns the state.
/// @throws core::InputError if it does not match or is damaged; `parameters` are unchanged then
nlohmann::json read_checkpoint(const std::filesystem::path& file, std::vector<Parameter>& parameters);

}  // namespace calo
