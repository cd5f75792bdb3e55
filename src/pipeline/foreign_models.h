#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "calo/infer/foreign_contract.h"
#include "kfp/component/component.h"

namespace pipeline {

/// How to call an ONNX file of other authors: the same options in every component that takes ONNX files.
struct ForeignModelOptions {
  std::string contract = "file";  ///< "file" = as the file's own properties say
  std::string mesh;               ///< see calo::infer::ForeignContract::mesh
  double energy_scale_gev = 0;    ///< 0 = 1024 GeV, as in Par04

  void describe(kfp::Visitor& visitor);
  calo::infer::ForeignContract contract_of_file() const;
};

/// Adds the values of ForeignModelOptions to a provenance if they matter, and makes the hash of the model
/// cover the files of weights next to it.
/// @param input name of the model's input
void note_model(nlohmann::json& provenance, const std::string& input, const std::filesystem::path& model,
                const calo::infer::ForeignContract& contract);

}  // namespace pipeline
