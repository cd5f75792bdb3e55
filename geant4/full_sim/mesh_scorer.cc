#include "geant4/full_sim/mesh_scorer.h"

#include <CLHEP/Units/SystemOfUnits.h>

#include <G4FastHit.hh>
#include <G4Step.hh>
#include <algorithm>

namespace geant4 {

namespace {

CylinderMesh mesh_of(const Detector& detector) {
  const calo::VoxelMesh::Cylinder& mesh = detector.mesh.cylinder();
  return CylinderMesh({.n_r = mesh.n_r,
                       .n_phi = mesh.n_phi,
                       .n_z = mesh.n_z,
                       .size_r_mm = mesh.size_r_mm,
                       .size_z_mm = mesh.size_z_mm});
}

}  // namespace

MeshScorer::MeshScorer(const G4String& name, std::set<const G4LogicalVolume*> active_volumes,
                       const Detector& detector)
    : G4VSensitiveDetector(name),
      detector_(detector),
      mesh_(mesh_of(detector)),
      active_(std::move(active_volumes)),
      cells_mev_(mesh_.num_cells(), 0) {}

void MeshScorer::begin_event() {
  frame_.reset();
  active_mev_ = 0;
  fast_ = false;
  // Still unknown while it is being measured.
  sampling_fraction_ = detector_.sampling_fraction > 0 ? detector_.sampling_fraction : 1;
  for (const std::uint32_t cell : touched_) cells_mev_[cell] = 0;
  touched_.clear();
}

void MeshScorer::add(const G4ThreeVector& position, double energy_mev) {
  if (!frame_) return;
  const auto cell = mesh_.cell_at(frame_->to_local(
      {.x = position.x() / CLHEP::mm, .y = position.y() / CLHEP::mm, .z = position.z() / CLHEP::mm}));
  if (!cell) return;
  if (cells_mev_[*cell] == 0) touched_.push_back(*cell);
  cells_mev_[*cell] += energy_mev;
}

G4bool MeshScorer::ProcessHits(G4Step* step, G4TouchableHistory*) {
  const double energy_mev = step->GetTotalEnergyDeposit() / CLHEP::MeV;
  if (energy_mev == 0) return true;
  const G4VPhysicalVolume* volume = step->GetPreStepPoint()->GetPhysicalVolume();
  if (!active_.contains(volume->GetLogicalVolume())) return true;
  active_mev_ += energy_mev;
  add(step->GetPostStepPoint()->GetPosition(), energy_mev / sampling_fraction_);
  return true;
}

// The envelope is in the centre of the world and not rotated: its coordinates are the global ones.
G4bool MeshScorer::ProcessHits(const G4FastHit* hit, const G4FastTrack*, G4TouchableHistory*) {
  fast_ = true;
  add(hit->GetPosition(), hit->GetEnergy() / CLHEP::MeV);
  return true;
}

void MeshScorer::end_event(EventResult& result) {
  const double threshold_mev = detector_.threshold_mev / sampling_fraction_;
  std::sort(touched_.begin(), touched_.end());
  for (const std::uint32_t cell : touched_) {
    if (!(cells_mev_[cell] > threshold_mev)) continue;
    result.cells.push_back(cell);
    result.energies_mev.push_back(static_cast<float>(cells_mev_[cell]));
  }
  result.active_mev = active_mev_;
  result.entered = frame_.has_value();
  result.fast = fast_;
}

}  // namespace geant4
