#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "calo/infer/generator.h"
#include "geant4/fast_sim/fast_sim_options.h"
#include "geant4/fast_sim/shower_frame.h"

namespace geant4 {

/// A generator with everything needed to deposit its showers. Immutable: one object for all threads of a
/// program.
class FastGenerator {
 public:
  /// @throws core::InputError (not a calopipe model, or no regular mesh with cell sizes), core::UsageError
  ///         (no file, geometry unknown or not given, empty range of energies)
  explicit FastGenerator(const FastSimOptions& options);
  FastGenerator(calo::infer::Generator generator, const FastSimOptions& options);

  const calo::infer::Generator& generator() const { return generator_; }
  /// Mesh of the geometry, with the sizes of its cells.
  const CylinderMesh& mesh() const { return mesh_; }
  /// Index into the generator's geometries.
  std::uint32_t geometry() const { return geometry_; }
  const std::string& geometry_name() const { return generator_.geometries()[geometry_]; }
  double min_energy_mev() const { return min_energy_mev_; }
  double max_energy_mev() const { return max_energy_mev_; }

 private:
  calo::infer::Generator generator_;
  std::uint32_t geometry_ = 0;
  CylinderMesh mesh_;
  double min_energy_mev_ = 0, max_energy_mev_ = 0;
};

}  // namespace geant4
