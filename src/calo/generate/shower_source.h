#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "calo/geometry/geometry_meshes.h"
#include "calo/infer/generator.h"
#include "calo/infer/precision.h"
#include "calo/model/model_folder.h"
#include "calo/shower/showers.h"
#include "core/thread_pool.h"

namespace calo {

using infer::TrainedRange;

/// The middle of the training: its geometric mean energy (10 GeV if its range is unknown) and its mean angle.
infer::Particle typical_particle(const TrainedRange& trained);

/// A model that makes showers on the CPU, without LibTorch: a model folder, an ONNX file written by `calopipe
/// convert` or `calopipe optimise`, or a foreign ONNX file with a contract. This class knows the generator's
/// graph and its properties, but no architecture: a folder and its converted file make the same showers from
/// the same seed, to the bit.
class ShowerSource {
 public:
  /// Opens a model folder, whose `generator.onnx` is run (or is made from the weights if it is missing), or
  /// an ONNX file.
  /// @param precision none = the precision that the file is made for, or fp32 if it does not say
  /// @param contract  for an ONNX file that does not state its own
  /// @throws core::InputError if it is neither, or is damaged, core::UsageError (a contract for a folder; see
  ///         infer::properties_under)
  static ShowerSource open(const std::filesystem::path& path, std::optional<infer::Precision> precision = {},
                           const infer::ForeignContract& contract = {});
  static ShowerSource of_folder(const ModelFolder& model, std::optional<infer::Precision> precision = {});

  const infer::Generator& generator() const { return generator_; }
  /// The only mesh, or the reference if meshes of geometries differ in size (GeneratorProperties::mesh).
  const VoxelMesh& mesh() const { return mesh_; }
  /// Meshes of geometries, if their cells differ in size; else empty.
  const GeometryMeshes& geometry_meshes() const { return geometry_meshes_; }
  const VoxelMesh& mesh_of(const std::string& geometry) const {
    return calo::mesh_of(geometry_meshes_, geometry, mesh_);
  }
  /// False if the sizes in mesh_of() may be those of another geometry: the model was not trained on this one,
  /// or it was trained on several and is older than the record of their meshes.
  bool knows_mesh_of(const std::string& geometry) const;
  /// Geometries that the model can generate.
  const std::vector<std::string>& geometries() const { return generator_.geometries(); }
  const TrainedRange& trained() const { return *generator_.said().trained; }
  infer::Precision precision() const { return generator_.model().precision(); }

  /// Makes shower first + i under conditions[i], with the latent noise of (seed, first + i).
  /// @param conditions  their geometry is an index into `geometries`, each of which is one of geometries()
  /// @param threshold_mev cells below are omitted
  /// @param out  replaced; its memory is reused
  /// @throws infer::NotFiniteError if a cell is NaN or infinite, with model, shower and cell
  void make(std::span<const Conditions> conditions, const std::vector<std::string>& geometries,
            std::uint64_t first, std::uint64_t seed, double threshold_mev, core::ThreadPool& pool,
            Showers& out);

 private:
  explicit ShowerSource(infer::Generator generator);
  std::uint32_t index_of(const std::string& geometry) const;

  infer::Generator generator_;
  VoxelMesh mesh_;
  GeometryMeshes geometry_meshes_;
  core::ThreadPool* workspace_pool_ = nullptr;
  infer::Workspace workspace_;
  infer::SparseShowers found_;
  std::vector<infer::Particle> particles_;
};

/// SHA-256 of a model: of its folder, or of its ONNX file and the weights files beside it.
/// @throws core::InputError
std::string sha256_of_model(const std::filesystem::path& path);

}  // namespace calo
