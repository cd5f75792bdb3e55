#pragma once

#include <G4VFastSimSensitiveDetector.hh>
#include <G4VSensitiveDetector.hh>
#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "geant4/fast_sim/shower_frame.h"
#include "geant4/full_sim/detector.h"
#include "geant4/full_sim/event_results.h"

class G4LogicalVolume;

namespace geant4 {

/// Collects the energy of an event in the cells of a mesh along the direction of its particle. A step counts
/// in active material, at its end, divided by the sampling fraction; a hit of the fast simulation counts
/// everywhere, without division. One object for each thread.
class MeshScorer : public G4VSensitiveDetector, public G4VFastSimSensitiveDetector {
 public:
  /// @param active_volumes  volumes whose steps count
  /// @param detector  source of sampling fraction and threshold for each event; must outlive this object
  MeshScorer(const G4String& name, std::set<const G4LogicalVolume*> active_volumes, const Detector& detector);

  /// Clears everything. Call it before the event's first deposit.
  void begin_event();
  bool has_frame() const { return frame_.has_value(); }
  void set_frame(const ShowerFrame& frame) { frame_ = frame; }
  /// Stores the cells above the threshold and the active energy in `result`.
  void end_event(EventResult& result);

 private:
  G4bool ProcessHits(G4Step* step, G4TouchableHistory* history) override;
  G4bool ProcessHits(const G4FastHit* hit, const G4FastTrack* track, G4TouchableHistory* history) override;
  void add(const G4ThreeVector& position, double energy_mev);

  const Detector& detector_;
  CylinderMesh mesh_;
  std::set<const G4LogicalVolume*> active_;
  std::optional<ShowerFrame> frame_;
  std::vector<double> cells_mev_;
  std::vector<std::uint32_t> touched_;
  double sampling_fraction_ = 1, active_mev_ = 0;
  bool fast_ = false;
};

}  // namespace geant4
