#pragma once

#include <CLHEP/Units/SystemOfUnits.h>

#include <G4HadronicProcessStore.hh>
#include <G4VModularPhysicsList.hh>

#include "geant4/full_sim/em_physics.h"

/// Replaces FTFP_BERT, which needs data files, in Par04: its electromagnetic part, with models that need none and
/// with its production cuts.
class Par04PhysicsWithoutData : public G4VModularPhysicsList {
 public:
  Par04PhysicsWithoutData() {
    SetVerboseLevel(0);
    SetDefaultCutValue(0.7 * CLHEP::mm);
    RegisterPhysics(new geant4::EmPhysicsWithoutData);
    G4HadronicProcessStore::Instance();  // macros use /process/had/verbose
  }
};
#define FTFP_BERT Par04PhysicsWithoutData
