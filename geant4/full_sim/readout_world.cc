#include "geant4/full_sim/readout_world.h"

#include <CLHEP/Units/SystemOfUnits.h>

#include <G4LogicalVolume.hh>
#include <G4PVPlacement.hh>
#include <G4PVReplica.hh>
#include <G4RotationMatrix.hh>
#include <G4Tubs.hh>

namespace geant4 {
namespace {

// A sector of a cylinder. A volume of a massless parallel world has no material.
G4LogicalVolume* tube(const char* name, double inner, double outer, double length, double angle) {
  return new G4LogicalVolume(new G4Tubs(name, inner, outer, length / 2, 0, angle), nullptr, name);
}

void place(G4LogicalVolume* volume, G4LogicalVolume* mother, int copy, G4RotationMatrix* rotation = nullptr) {
  new G4PVPlacement(rotation, G4ThreeVector(), volume, volume->GetName(), mother, false, copy);
}

}  // namespace

// Geant4 owns solids, volumes and rotations.
void ReadoutWorld::Construct() {
  const double inner = detector_.inner_radius_mm * CLHEP::mm, outer = detector_.outer_radius_mm() * CLHEP::mm;
  const double thickness = detector_.layer_thickness_mm() * CLHEP::mm;
  const double row = detector_.length_mm / detector_.readout.rows * CLHEP::mm;
  const int num_slices = detector_.readout.slices;
  const double angle = CLHEP::twopi / num_slices;
  auto* all = tube("Readout", inner, outer, detector_.length_mm * CLHEP::mm, CLHEP::twopi);
  place(all, GetWorld()->GetLogicalVolume(), 0);
  auto* rows = tube("Row", inner, outer, row, CLHEP::twopi);
  new G4PVReplica("Row", rows, all, kZAxis, detector_.readout.rows, row);
  auto* slices = tube("Slice", inner, outer, row, angle);
  if (cells_ == Cells::kLayers) {
    new G4PVReplica("Slice", slices, rows, kPhi, num_slices, angle);
    auto* layers = tube("Layer", inner, inner + thickness, row, angle);
    new G4PVReplica("Layer", layers, slices, kRho, detector_.layers, thickness, inner);
    return;
  }
  for (int slice = 0; slice < num_slices; ++slice) {
    auto* rotation = new G4RotationMatrix;
    rotation->rotateZ((slice + 0.5) * angle);
    place(slices, rows, slice, rotation);
  }
  double from = inner;
  int copy = 0;
  for (int layer = 0; layer < detector_.layers; ++layer)
    for (const Absorber& absorber : detector_.absorbers) {
      const double to = from + absorber.thickness_mm * CLHEP::mm;
      if (absorber.active) place(tube("Cell", from, to, row, angle), slices, copy++);
      from = to;
    }
}

}  // namespace geant4
