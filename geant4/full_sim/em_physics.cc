#include "geant4/full_sim/em_physics.h"

#include <CLHEP/Units/SystemOfUnits.h>

#include <G4ComptonScattering.hh>
#include <G4Electron.hh>
#include <G4EmParameters.hh>
#include <G4Gamma.hh>
#include <G4GammaConversion.hh>
#include <G4KleinNishinaCompton.hh>
#include <G4MollerBhabhaModel.hh>
#include <G4PEEffectFluoModel.hh>
#include <G4PairProductionRelModel.hh>
#include <G4PhotoElectricEffect.hh>
#include <G4PhysicsListHelper.hh>
#include <G4Positron.hh>
#include <G4Proton.hh>
#include <G4UrbanMscModel.hh>
#include <G4eBremParametrizedModel.hh>
#include <G4eBremsstrahlung.hh>
#include <G4eBremsstrahlungRelModel.hh>
#include <G4eIonisation.hh>
#include <G4eMultipleScattering.hh>
#include <G4eeToTwoGammaModel.hh>
#include <G4eplusAnnihilation.hh>

namespace geant4 {
namespace {

// Geant4 owns processes and models.
void add_lepton(G4PhysicsListHelper& helper, G4ParticleDefinition* particle) {
  auto* scattering = new G4eMultipleScattering;
  scattering->SetEmModel(new G4UrbanMscModel);
  auto* ionisation = new G4eIonisation;
  ionisation->SetEmModel(new G4MollerBhabhaModel);
  auto* bremsstrahlung = new G4eBremsstrahlung;
  auto* soft = new G4eBremParametrizedModel;
  soft->SetHighEnergyLimit(1 * CLHEP::GeV);
  bremsstrahlung->SetEmModel(soft);
  bremsstrahlung->SetEmModel(new G4eBremsstrahlungRelModel);
  helper.RegisterProcess(scattering, particle);
  helper.RegisterProcess(ionisation, particle);
  helper.RegisterProcess(bremsstrahlung, particle);
}

}  // namespace

EmPhysicsWithoutData::EmPhysicsWithoutData() : G4VPhysicsConstructor("em-no-data") {
  G4EmParameters* parameters = G4EmParameters::Instance();
  parameters->SetDefaults();
  parameters->SetVerbose(0);
  parameters->SetFluo(false);
}

void EmPhysicsWithoutData::ConstructParticle() {
  G4Gamma::Gamma();
  G4Electron::Electron();
  G4Positron::Positron();
  G4Proton::Proton();  // Geant4 converts cuts in range into energies for protons, too
}

void EmPhysicsWithoutData::ConstructProcess() {
  G4PhysicsListHelper& helper = *G4PhysicsListHelper::GetPhysicsListHelper();
  auto* photoelectric = new G4PhotoElectricEffect;
  photoelectric->SetEmModel(new G4PEEffectFluoModel);
  auto* compton = new G4ComptonScattering;
  compton->SetEmModel(new G4KleinNishinaCompton);
  auto* conversion = new G4GammaConversion;
  conversion->SetEmModel(new G4PairProductionRelModel);
  helper.RegisterProcess(photoelectric, G4Gamma::Gamma());
  helper.RegisterProcess(compton, G4Gamma::Gamma());
  helper.RegisterProcess(conversion, G4Gamma::Gamma());
  add_lepton(helper, G4Electron::Electron());
  add_lepton(helper, G4Positron::Positron());
  auto* annihilation = new G4eplusAnnihilation;
  annihilation->SetEmModel(new G4eeToTwoGammaModel);
  helper.RegisterProcess(annihilation, G4Positron::Positron());
}

}  // namespace geant4
