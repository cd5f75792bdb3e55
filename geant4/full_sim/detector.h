#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "calo/geometry/voxel_mesh.h"

namespace geant4 {

/// One plate of a layer.
struct Absorber {
  std::string material;  ///< NIST name, as Geant4 knows it ("G4_W")
  double thickness_mm = 0;
  bool active = false;  ///< its deposits are measured

  template <class V>
  void describe(V& v) {
    v("material", material, {.required = true});
    v("thickness_mm", thickness_mm, {.min = 0, .above_min = true, .required = true});
    v("active", active);
  }
};

/// Readout cells in a parallel world: rows along the beam, slices in azimuth, one cell for each layer.
struct ReadoutGrid {
  int rows = 0, slices = 0;  ///< 0 = there is no such world

  template <class V>
  void describe(V& v) {
    v("rows", rows, {.min = 1, .max = 100'000});
    v("slices", slices, {.min = 1, .max = 100'000});
  }
};

/// A calorimeter as in Geant4's example Par04: concentric cylinders around the beam, layers of one or more
/// absorbers, and a mesh around the direction of the particle that collects the energy.
struct Detector {
  std::string name;
  double inner_radius_mm = 800;
  double length_mm = 2000;
  int layers = 0;
  std::vector<Absorber> absorbers;  ///< of one layer, from inside
  calo::VoxelMesh mesh;             ///< a regular cylinder
  ReadoutGrid readout;
  /// What part of a shower's energy the active material sees; cell energies are divided by it. 0 = it is
  /// measured before the simulation.
  double sampling_fraction = 0;
  double threshold_mev = 0.0005;  ///< cells whose active energy is not above are zero

  double layer_thickness_mm() const;
  double outer_radius_mm() const { return inner_radius_mm + layers * layer_thickness_mm(); }

  nlohmann::json to_json() const;
};

/// Par04's detectors: "SiW", "SciPb", "PbWO4" (sizes as published, doc/geant4.md).
/// @throws core::UsageError listing the names
Detector named_detector(const std::string& name);
const std::vector<std::string>& detector_names();

/// A detector from a YAML file; what it leaves out comes from the detector named by `like`, where it has one.
/// @throws core::InputError naming file and field (unknown, missing, wrong type or value)
Detector read_detector(const std::filesystem::path& file);

/// By name, or by a path that ends in .yaml, .yml or .json. @throws as above
Detector find_detector(const std::string& name_or_file);

}  // namespace geant4
