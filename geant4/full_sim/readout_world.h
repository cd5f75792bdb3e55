#pragma once

#include <G4VUserParallelWorld.hh>

#include "geant4/full_sim/detector.h"

namespace geant4 {

/// A detector's readout cells in a world parallel to the world of the plates: rows along the beam, slices in
/// azimuth, cells in radius. Nothing is read out here, but steps end at its boundaries, and multiple
/// scattering depends on the distance to them. Par04 has two such worlds, and its response depends on both.
class ReadoutWorld : public G4VUserParallelWorld {
 public:
  enum class Cells {
    kLayers,  ///< as thick as a layer
    kActive,  ///< as thick as the active plates, with gaps
  };

  ReadoutWorld(const G4String& name, const Detector& detector, Cells cells)
      : G4VUserParallelWorld(name), detector_(detector), cells_(cells) {}

  void Construct() override;

 private:
  const Detector& detector_;
  Cells cells_;
};

}  // namespace geant4
