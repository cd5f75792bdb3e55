#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace calo::infer {

/// Interface of a generator's ONNX file to the program that loads it (doc/onnx.md).
enum class Contract {
  kPlain,         ///< inputs by name, any batch, output in MeV
  kPar04Vae,      ///< Geant4 example Par04, model type VAE
  kPar04CaloDit,  ///< Geant4 example Par04, model type CaloDiT-2
};

/// "plain", "par04-vae" or "par04-calodit".
std::string to_string(Contract contract);

/// Extents of a regular mesh, flat order `[r, phi, z]` with z fastest; zeros for another one.
struct MeshInfo {
  std::int64_t n_r = 0, n_phi = 0, n_z = 0;
  double size_r_mm = 0, size_z_mm = 0;  ///< sizes of the cells; 0 if the model does not say them
  std::string json;                     ///< the mesh as the model says it: sizes, or layers

  /// @param text  JSON of a mesh (VoxelMesh::to_json)
  /// @throws core::InputError with the field calopipe.mesh if it is not a JSON object, or an extent no number
  static MeshInfo parse(const std::string& text);

  /// True if both have the same numbers of cells; the sizes may differ.
  bool has_cells_of(const MeshInfo& other) const {
    return n_r == other.n_r && n_phi == other.n_phi && n_z == other.n_z;
  }
};

/// Range of incident energies and angles. Where the upper end is 0, nobody knows it.
struct ConditionRange {
  double min_energy_mev = 0, max_energy_mev = 0;
  double min_theta_deg = 0, max_theta_deg = 0;
};

/// What a model was trained on; outside of it its showers mean little. Where the upper end of a range is 0,
/// nobody knows it.
struct TrainedRange {
  std::vector<std::string> geometries;
  double min_energy_mev = 0, max_energy_mev = 0;
  double min_theta_deg = 0, max_theta_deg = 0;
  std::optional<double> readout_threshold_mev = {};  ///< cells below had no energy in the training
  /// Range of each geometry, if the training had several and the file says it.
  std::map<std::string, ConditionRange> by_geometry = {};

  /// Range of a geometry: its own, or that of all showers.
  ConditionRange range_of(const std::string& geometry) const;
  bool has(const std::string& geometry) const;
};

/// One number of the condition vector: a quantity times `times`, or 1 for one geometry and 0 for the others.
struct ConditionNumber {
  enum class Kind { kEnergyMev, kThetaRad, kPhiRad, kGeometry };

  Kind kind = Kind::kGeometry;
  double times = 1;
  std::string geometry = {};  ///< kGeometry: which one; empty = a number without effect

  bool operator==(const ConditionNumber&) const = default;
};

/// How a generator is called and what it gives: the properties `calopipe.NAME` of an ONNX file
/// (doc/onnx.md). This is the one place that writes and reads them.
struct GeneratorProperties {
  std::string version;       ///< of the calopipe that wrote the file
  std::string architecture;  ///< of the model
  Contract contract = Contract::kPlain;
  std::int64_t latent_dim = 0;              ///< normal numbers of one shower
  std::vector<ConditionNumber> conditions;  ///< the condition vector, in order
  std::vector<std::string> geometries;      ///< that can be asked for
  std::string par04_geometry;               ///< at the place that Par04 sets; empty for plain
  /// The only mesh. If meshes of geometries differ: that of par04_geometry, or the model's reference (plain).
  MeshInfo mesh;
  /// Meshes of geometries, if their cells differ in size; they have the same numbers of cells.
  std::map<std::string, MeshInfo> geometry_meshes;
  std::optional<TrainedRange> trained;
  double max_energy_mev = 0, max_theta_deg = 0;  ///< of the encoding; 0 = not said
  std::string provenance, model_provenance;      ///< JSON; empty = not said

  /// Mesh of a geometry: its own, or the only one.
  const MeshInfo& mesh_of(const std::string& geometry) const;

  /// The properties by name.
  std::map<std::string, std::string> write() const;
  /// @throws core::InputError with the property as its field, if one is missing or not as write() has it
  static GeneratorProperties read(const std::map<std::string, std::string>& properties);
};

}  // namespace calo::infer
