#pragma once

#include <G4VUserDetectorConstruction.hh>
#include <memory>
#include <set>
#include <vector>

#include "geant4/fast_sim/fast_sim_setup.h"
#include "geant4/full_sim/detector.h"
#include "geant4/full_sim/mesh_scorer.h"

namespace geant4 {

/// Builds a Detector: a world of air, an envelope in its centre as the region of the fast simulation, and the
/// plates as cylinders.
class Par04Detector : public G4VUserDetectorConstruction {
 public:
  /// @param fast  null = full simulation only
  Par04Detector(Detector detector, std::shared_ptr<FastSimSetup> fast);

  G4VPhysicalVolume* Construct() override;
  void ConstructSDandField() override;

  /// The scorer of this thread.
  static MeshScorer* scorer();
  /// Name of the envelope's region.
  static constexpr const char* region_name = "Calorimeter";
  const Detector& detector() const { return detector_; }
  /// Call it between runs.
  void set_sampling_fraction(double value) { detector_.sampling_fraction = value; }

 private:
  Detector detector_;
  std::shared_ptr<FastSimSetup> fast_;
  G4LogicalVolume* envelope_ = nullptr;
  std::vector<G4LogicalVolume*> plates_;
  std::set<const G4LogicalVolume*> active_;
};

}  // namespace geant4
