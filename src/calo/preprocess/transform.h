#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "calo/geometry/geometry_meshes.h"
#include "calo/geometry/voxel_mesh.h"
#include "calo/shower/showers.h"
#include "core/parameter_field.h"

namespace calo {

/// A geometry of the training showers: its mesh, and the range of its conditions.
struct TrainedGeometry {
  std::string geometry;
  VoxelMesh mesh;
  double min_energy_mev = 0, max_energy_mev = 0;
  double min_theta_deg = 0, max_theta_deg = 0;

  template <class V>
  void describe(V& v) {
    const core::ParameterSpec required{.required = true};
    v("geometry", geometry, required);
    v("mesh", mesh, required);
    v("min_energy_mev", min_energy_mev, required);
    v("max_energy_mev", max_energy_mev, required);
    v("min_theta_deg", min_theta_deg, required);
    v("max_theta_deg", max_theta_deg, required);
  }
};

/// Transformation between showers and the network: fitted once by `preprocess`, stored with the model,
/// inverted for generation. It is the Par04 encoding (MLFastSim, core/constants.py): cell energies over the
/// incident energy; condition vector `[E / E_max, theta_deg / theta_max_deg, one-hot geometry]`. The one-hot
/// has one element per geometry, in `one_hot_order`.
struct Transform {
  /// The only mesh; for several geometries, that of the first showers. A model uses its sizes only as a scale
  /// (for example the radii of a cascade's centres of gravity), the same for all geometries.
  VoxelMesh mesh;
  double max_energy_mev = 1024000;  ///< E_max
  double max_theta_deg = 90;
  /// Geometry of each element of the one-hot; Par04: {"SciPb", "SiW"}, so that SiW = [0, 1].
  std::vector<std::string> one_hot_order = {"SciPb", "SiW"};
  /// Range of the training showers, for warnings about showers outside it.
  double min_trained_energy_mev = 0;
  double max_trained_energy_mev = 0;
  double min_trained_theta_deg = 0;
  double max_trained_theta_deg = 0;
  std::vector<std::string> trained_geometries;
  double readout_threshold_mev = 0;  ///< cells below were set to zero before training
  /// Mesh and range of each geometry of the training. Empty for a single geometry, for which the members
  /// above say the same, and in models that are older than this field.
  std::vector<TrainedGeometry> trained_by_geometry = {};

  std::int64_t condition_dim() const { return 2 + static_cast<std::int64_t>(one_hot_order.size()); }

  /// Mesh of a geometry: its own, or the only one.
  const VoxelMesh& mesh_of(const std::string& geometry) const;
  /// Mesh and trained range of a geometry; those of all showers if trained_by_geometry does not have it.
  TrainedGeometry trained_on(const std::string& geometry) const;
  /// Meshes of trained_by_geometry if their cells differ in size; else empty.
  GeometryMeshes geometry_meshes() const;

  /// Index in one_hot_order. @throws core::InputError if the geometry is not in it
  std::size_t place_of(const std::string& geometry) const;
  /// Writes condition_dim() numbers. @throws core::InputError if the geometry is not in one_hot_order
  void encode(const Conditions& condition, const std::string& geometry, std::span<float> out) const;

  template <class V>
  void describe(V& v) {
    const core::ParameterSpec required{.required = true},
        above_zero{.min = 0, .above_min = true, .required = true};
    v("mesh", mesh, required);
    v("max_energy_mev", max_energy_mev, above_zero);
    v("max_theta_deg", max_theta_deg, above_zero);
    v("one_hot_order", one_hot_order, required);
    v("min_trained_energy_mev", min_trained_energy_mev, required);
    v("max_trained_energy_mev", max_trained_energy_mev, required);
    v("min_trained_theta_deg", min_trained_theta_deg, required);
    v("max_trained_theta_deg", max_trained_theta_deg, required);
    v("trained_geometries", trained_geometries, required);
    v("readout_threshold_mev", readout_threshold_mev, required);
    v("trained_by_geometry", trained_by_geometry);
  }
  /// Without `trained_by_geometry` if it is empty.
  nlohmann::json to_json() const;
  /// @throws core::InputError with the field
  static Transform from_json(const nlohmann::json& json);
};

}  // namespace calo
