#pragma once

#include <G4VPhysicsConstructor.hh>

namespace geant4 {

/// Electromagnetic interactions of electrons, positrons and photons by models that read no data files:
/// photoelectric effect (G4PEEffectFluoModel), Compton scattering (G4KleinNishinaCompton), conversion
/// (G4PairProductionRelModel), bremsstrahlung (G4eBremParametrizedModel, above 1 GeV
/// G4eBremsstrahlungRelModel), ionisation (G4MollerBhabhaModel), multiple scattering (G4UrbanMscModel),
/// annihilation (G4eeToTwoGammaModel). Neglected: Rayleigh scattering, atomic relaxation, all hadronic
/// interactions, gamma to muons, scattering by single Coulomb collisions.
class EmPhysicsWithoutData : public G4VPhysicsConstructor {
 public:
  EmPhysicsWithoutData();

  void ConstructParticle() override;
  void ConstructProcess() override;
};

}  // namespace geant4
