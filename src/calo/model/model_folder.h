#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "calo/geometry/voxel_mesh.h"
#include "calo/model/model_description.h"
#include "calo/preprocess/transform.h"

namespace calo {

/// A named tensor of a stored model: float32, row-major.
struct WeightTensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

/// Names: `encoder.<i>.{weight,bias}`, `encoder.<i>.norm.{weight,bias,running_mean,running_var}`,
/// `encoder.{mean,log_var}.{weight,bias}`, `decoder.<i>.…` likewise, `decoder.output.{weight,bias}`.
/// Weights of a dense layer are `[out, in]`. Encoder input: cells, then the condition vector; decoder input:
/// latent, then the condition vector (Transform::encode).
using Weights = std::map<std::string, WeightTensor>;

/// A trained model on disk, readable without LibTorch: `model.json` (format version, description, transform,
/// mesh, quality), `weights.h5` (one float32 dataset per tensor), `calopipe.json` (provenance).
struct ModelFolder {
  static constexpr int kFormatVersion = 1;

  ModelDescription description;
  Transform transform;  ///< carries the mesh and the geometries
  Weights weights;
  nlohmann::json training = nlohmann::json::object();  ///< epochs done, best epoch, losses
  nlohmann::json provenance = nlohmann::json::object();

  /// Writes into an existing folder (the caller stages it).
  void write(const std::filesystem::path& folder) const;
  /// @throws core::InputError: not a model folder, another format version, weights missing, of other shapes
  ///         than the description asks for, or not finite
  static ModelFolder read(const std::filesystem::path& folder);
};

}  // namespace calo
