#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "calo/infer/foreign_contract.h"

namespace pipeline {

/// The options --contract, --mesh and --energy-scale-gev of components that take ONNX files.
/// @param contract "file" = as the file's own properties say
calo::infer::ForeignContract foreign_contract(const std::string& contract, const std::string& mesh,
                                              double energy_scale_gev);

/// Puts into a provenance what the options of foreign_contract() decided, where there was something to
/// decide, and makes the hash of the model cover the weights files beside it.
/// @param input name of the model's input
void note_model(nlohmann::json& provenance, const std::string& input, const std::filesystem::path& model,
                const calo::infer::ForeignContract& contract);

}  // namespace pipeline
