#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
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

/// Tensors of a model by name; the architecture defines names and shapes. Weights of a dense layer are `[out,
/// in]`.
using Weights = std::map<std::string, WeightTensor>;

/// Names and shapes of tensors.
using TensorShapes = std::map<std::string, std::vector<std::int64_t>>;

/// A trained model on disk, readable without LibTorch: `model.json` (format version, description, transform,
/// mesh, quality), `weights.h5` (one float32 dataset per tensor), `calopipe.json` (provenance), and usually
/// `generator.onnx` (see write_model() of calo/models/stored_model.h).
struct ModelFolder {
  static constexpr int kFormatVersion = 1;

  ModelDescription description;
  Transform transform;  ///< has the mesh and the geometries
  Weights weights;
  nlohmann::json training = nlohmann::json::object();  ///< epochs done, best epoch, losses
  nlohmann::json provenance = nlohmann::json::object();

  /// Writes into an existing folder (the caller stages it).
  void write(const std::filesystem::path& folder) const;
  /// @param shapes  the tensors that a description requires
  /// @throws core::InputError: not a model folder, another format version, or weights that are missing, not
  ///         finite, or of other shapes than the description requires
  static ModelFolder read(
      const std::filesystem::path& folder,
      const std::function<TensorShapes(const ModelDescription&, const Transform&)>& shapes);
};

}  // namespace calo
