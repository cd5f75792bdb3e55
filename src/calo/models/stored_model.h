#pragma once

#include <filesystem>
#include <string>

#include "calo/model/model_folder.h"

namespace calo {

/// File of a model folder that contains the generator in the contract `plain`.
constexpr const char* kGeneratorFile = "generator.onnx";

/// Writes a model and its generator into an existing folder (the caller stages it).
/// @throws like ModelFolder::write() and generator_graph()
void write_model(const std::filesystem::path& folder, const ModelFolder& model);

/// Reads a model folder. @throws like ModelFolder::read(), and core::InputError for an unknown architecture
ModelFolder read_model(const std::filesystem::path& folder);

/// The generator of a model in the contract `plain`, as write_model() stores it.
std::string generator_of(const ModelFolder& model);

}  // namespace calo
