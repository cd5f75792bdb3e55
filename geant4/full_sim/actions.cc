#include "geant4/full_sim/actions.h"

#include <CLHEP/Units/SystemOfUnits.h>

#include <G4Event.hh>
#include <G4LogicalVolume.hh>
#include <G4ParticleTable.hh>
#include <G4PrimaryParticle.hh>
#include <G4PrimaryVertex.hh>
#include <G4RandomTools.hh>
#include <G4Region.hh>
#include <G4RegionStore.hh>
#include <G4RunManager.hh>
#include <G4Step.hh>
#include <Randomize.hh>

#include "core/interrupt.h"
#include "geant4/full_sim/complaints.h"
#include "geant4/full_sim/par04_detector.h"

namespace geant4 {

void PlanGun::GeneratePrimaries(G4Event* event) {
  // Events are numbered across all runs, because the noise of the fast simulation depends on the number.
  const std::int64_t number = task_.results->first_event + event->GetEventID();
  event->SetEventID(static_cast<G4int>(number));
  // The engine keeps a pointer to the seeds.
  thread_local std::array<long, 4> seeds;
  seeds = task_.plan->seeds(number);
  G4Random::getTheEngine()->setSeeds(seeds.data(), static_cast<int>(seeds.size()));
  G4RandGauss::setFlag(false);  // discard the second number of the previous event

  const calo::Conditions conditions = task_.plan->conditions(number);
  const auto direction = task_.plan->direction(number);
  auto* particle = new G4PrimaryParticle(
      G4ParticleTable::GetParticleTable()->FindParticle(task_.plan->options().particle));
  particle->SetKineticEnergy(conditions.incident_energy_mev * CLHEP::MeV);
  particle->SetMomentumDirection(G4ThreeVector(direction[0], direction[1], direction[2]));
  auto* vertex = new G4PrimaryVertex(G4ThreeVector(), 0);
  vertex->SetPrimary(particle);
  event->AddPrimaryVertex(vertex);
}

void EventRecorder::BeginOfEventAction(const G4Event*) {
  if (scorer_ == nullptr) scorer_ = Par04Detector::scorer();
  scorer_->begin_event();
  start_ = std::chrono::steady_clock::now();
}

void EventRecorder::EndOfEventAction(const G4Event* event) {
  EventResult& result = task_.results->of(event->GetEventID());
  result.sim_time_s = std::chrono::duration<float>(std::chrono::steady_clock::now() - start_).count();
  scorer_->end_event(result);
  if (task_.event_done) task_.event_done();
  if (core::interrupt_requested()) G4RunManager::GetRunManager()->AbortRun(true);
}

void EntryFinder::UserSteppingAction(const G4Step* step) {
  if (scorer_ == nullptr) {
    scorer_ = Par04Detector::scorer();
    region_ = G4RegionStore::GetInstance()->GetRegion(Par04Detector::region_name);
  }
  if (scorer_->has_frame() || step->GetTrack()->GetParentID() != 0) return;
  const G4StepPoint& end = *step->GetPostStepPoint();
  if (end.GetPhysicalVolume() == nullptr ||
      end.GetPhysicalVolume()->GetLogicalVolume()->GetRegion() != region_)
    return;
  const G4ThreeVector position = end.GetPosition() / CLHEP::mm, direction = end.GetMomentumDirection();
  scorer_->set_frame(ShowerFrame({.x = position.x(), .y = position.y(), .z = position.z()},
                                 {.x = direction.x(), .y = direction.y(), .z = direction.z()}));
}

void FullSimActions::Build() const {
  install_complaints(verbose_);
  SetUserAction(new PlanGun(task_));
  SetUserAction(new EventRecorder(task_));
  SetUserAction(new EntryFinder);
}

}  // namespace geant4
