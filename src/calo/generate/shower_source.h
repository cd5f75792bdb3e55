#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "calo/infer/generator.h"
#include "calo/infer/precision.h"
#include "calo/model/model_folder.h"
#include "calo/shower/showers.h"
#include "core/thread_pool.h"

namespace calo {

/// What a model was trained on; outside of it its showers mean little. Where the upper end of a range is 0,
/// nobody knows it.
struct TrainedRange {
  std::vector<std::string> geometries;
  double min_energy_mev = 0, max_energy_mev = 0;
  double min_theta_deg = 0, max_theta_deg = 0;
};

/// What a model folder's transform says of it.
TrainedRange trained_range(const Transform& transform);

/// In the middle of the training: its geometric mean energy (10 GeV where its range is not known), its mean
/// angle.
infer::Particle typical_particle(const TrainedRange& trained);

/// A model that makes showers on the CPU, without LibTorch: a model folder, an ONNX file that
/// `calopipe convert` or `calopipe optimise` wrote, or somebody else's under a contract. Folder and file make
/// the same showers of the same seed, up to rounding.
class ShowerSource {
 public:
  virtual ~ShowerSource() = default;

  virtual const VoxelMesh& mesh() const = 0;
  /// Geometries that the model can generate.
  virtual const std::vector<std::string>& geometries() const = 0;
  virtual const TrainedRange& trained() const = 0;
  virtual infer::Precision precision() const = 0;

  /// Makes shower first + i under conditions[i], with the latent noise of (seed, first + i).
  /// @param conditions  geometry indexes `geometries`, of which each is one of geometries()
  /// @param threshold_mev cells below are left out
  /// @param out  replaced; its memory is used again
  /// @throws infer::NotFiniteError if a cell is NaN or infinite, with model, shower and cell
  virtual void make(std::span<const Conditions> conditions, const std::vector<std::string>& geometries,
                    std::uint64_t first, std::uint64_t seed, double threshold_mev, core::ThreadPool& pool,
                    Showers& out) = 0;

  /// A folder is a model folder, a file an ONNX model.
  /// @param precision none = what the file is made for; fp32 of a folder
  /// @param contract  of an ONNX file that does not say its own
  /// @throws core::InputError if it is neither, or damaged, core::UsageError (a contract for a folder; see
  ///         infer::properties_under)
  static std::unique_ptr<ShowerSource> open(const std::filesystem::path& path,
                                            std::optional<infer::Precision> precision = {},
                                            const infer::ForeignContract& contract = {});
  static std::unique_ptr<ShowerSource> of_folder(ModelFolder model,
                                                 infer::Precision precision = infer::Precision::kFp32);
};

/// SHA-256 of a model: of its folder or file, and of the weights files that an ONNX model has beside it.
/// @throws core::InputError
std::string sha256_of_model(const std::filesystem::path& path);

}  // namespace calo
