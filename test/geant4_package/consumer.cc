// The least Geant4 application with a fast simulation: a block of lead tungstate, electrons, and a sensitive
// detector that adds up what is deposited. usage: consumer MACRO; prints energy and hits of each event.
#include <G4Box.hh>
#include <G4Electron.hh>
#include <G4Event.hh>
#include <G4FastHit.hh>
#include <G4FastSimulationPhysics.hh>
#include <G4Gamma.hh>
#include <G4Geantino.hh>
#include <G4LogicalVolume.hh>
#include <G4NistManager.hh>
#include <G4PVPlacement.hh>
#include <G4ParticleGun.hh>
#include <G4Positron.hh>
#include <G4Region.hh>
#include <G4RegionStore.hh>
#include <G4RunManagerFactory.hh>
#include <G4SDManager.hh>
#include <G4SystemOfUnits.hh>
#include <G4UImanager.hh>
#include <G4UserEventAction.hh>
#include <G4VFastSimSensitiveDetector.hh>
#include <G4VModularPhysicsList.hh>
#include <G4VSensitiveDetector.hh>
#include <G4VUserActionInitialization.hh>
#include <G4VUserDetectorConstruction.hh>
#include <G4VUserPrimaryGeneratorAction.hh>
#include <cstdio>

#include "geant4/fast_sim/calopipe_fast_sim_messenger.h"
#include "geant4/fast_sim/calopipe_fast_sim_model.h"

namespace {

thread_local double energy_mev = 0;
thread_local int hits = 0;

class Deposits : public G4VSensitiveDetector, public G4VFastSimSensitiveDetector {
 public:
  Deposits() : G4VSensitiveDetector("deposits") {}
  G4bool ProcessHits(G4Step*, G4TouchableHistory*) override { return false; }
  G4bool ProcessHits(const G4FastHit* hit, const G4FastTrack*, G4TouchableHistory*) override {
    energy_mev += hit->GetEnergy() / MeV;
    ++hits;
    return true;
  }
};

class Detector : public G4VUserDetectorConstruction {
 public:
  G4VPhysicalVolume* Construct() override {
    auto* nist = G4NistManager::Instance();
    auto* world = new G4LogicalVolume(new G4Box("world", 1 * m, 1 * m, 1 * m),
                                      nist->FindOrBuildMaterial("G4_Galactic"), "world");
    auto* block = new G4LogicalVolume(new G4Box("block", 0.4 * m, 0.4 * m, 0.4 * m),
                                      nist->FindOrBuildMaterial("G4_PbWO4"), "block");
    new G4PVPlacement(nullptr, {0, 0, 0.5 * m}, block, "block", world, false, 0);
    auto* region = new G4Region("Calorimeter");
    region->AddRootLogicalVolume(block);
    block_ = block;
    setup_ = std::make_shared<geant4::FastSimSetup>();
    messenger_ = std::make_unique<geant4::CalopipeFastSimMessenger>(setup_);
    return new G4PVPlacement(nullptr, {}, world, "world", nullptr, false, 0);
  }
  void ConstructSDandField() override {
    auto* deposits = new Deposits;
    G4SDManager::GetSDMpointer()->AddNewDetector(deposits);
    SetSensitiveDetector(block_, deposits);
    new geant4::CalopipeFastSimModel("calopipe", G4RegionStore::GetInstance()->GetRegion("Calorimeter"),
                                     setup_);
  }

 private:
  G4LogicalVolume* block_ = nullptr;
  std::shared_ptr<geant4::FastSimSetup> setup_;
  std::unique_ptr<geant4::CalopipeFastSimMessenger> messenger_;
};

class Particles : public G4VPhysicsConstructor {
 public:
  void ConstructParticle() override {
    G4Electron::Definition();
    G4Positron::Definition();
    G4Gamma::Definition();
    G4Geantino::Definition();
  }
  void ConstructProcess() override {}
};

class Gun : public G4VUserPrimaryGeneratorAction {
 public:
  Gun() : gun_(1) {
    gun_.SetParticleDefinition(G4Electron::Definition());
    gun_.SetParticleEnergy(20 * GeV);
    gun_.SetParticleMomentumDirection({0, 0, 1});
  }
  void GeneratePrimaries(G4Event* event) override { gun_.GeneratePrimaryVertex(event); }

 private:
  G4ParticleGun gun_;
};

class Print : public G4UserEventAction {
 public:
  void BeginOfEventAction(const G4Event*) override { energy_mev = hits = 0; }
  void EndOfEventAction(const G4Event* event) override {
    std::printf("event %d: %d hits, %.3f MeV\n", event->GetEventID(), hits, energy_mev);
  }
};

class Actions : public G4VUserActionInitialization {
 public:
  void Build() const override {
    SetUserAction(new Gun);
    SetUserAction(new Print);
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::unique_ptr<G4RunManager> manager(
      G4RunManagerFactory::CreateRunManager(G4RunManagerType::Serial));
  manager->SetUserInitialization(new Detector);
  auto* physics = new G4VModularPhysicsList;
  physics->RegisterPhysics(new Particles);
  auto* fast = new G4FastSimulationPhysics;
  fast->ActivateFastSimulation("e-");
  physics->RegisterPhysics(fast);
  manager->SetUserInitialization(physics);
  manager->SetUserInitialization(new Actions);
  return G4UImanager::GetUIpointer()->ApplyCommand(G4String("/control/execute ") + argv[1]) == 0 ? 0 : 1;
}
