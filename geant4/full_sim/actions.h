#pragma once

#include <G4UserEventAction.hh>
#include <G4UserSteppingAction.hh>
#include <G4VUserActionInitialization.hh>
#include <G4VUserPrimaryGeneratorAction.hh>
#include <chrono>
#include <functional>

#include "geant4/full_sim/event_results.h"
#include "geant4/full_sim/mesh_scorer.h"
#include "geant4/full_sim/simulation_plan.h"

class G4Region;

namespace geant4 {

/// The work of one Geant4 run; set between runs, read by all threads.
struct RunTask {
  const SimulationPlan* plan = nullptr;
  EventResults* results = nullptr;
  std::function<void()> event_done;  ///< called from any thread
};

/// Shoots the particle of the plan's event from the origin, with the random numbers of that event, which do
/// not depend on the thread or on earlier events.
class PlanGun : public G4VUserPrimaryGeneratorAction {
 public:
  explicit PlanGun(const RunTask& task) : task_(task) {}
  void GeneratePrimaries(G4Event* event) override;

 private:
  const RunTask& task_;
};

/// Times the event and takes its result from the scorer.
class EventRecorder : public G4UserEventAction {
 public:
  explicit EventRecorder(const RunTask& task) : task_(task) {}
  void BeginOfEventAction(const G4Event* event) override;
  void EndOfEventAction(const G4Event* event) override;

 private:
  const RunTask& task_;
  MeshScorer* scorer_ = nullptr;
  std::chrono::steady_clock::time_point start_;
};

/// Aligns the mesh with the primary particle where it enters the calorimeter.
class EntryFinder : public G4UserSteppingAction {
 public:
  void UserSteppingAction(const G4Step* step) override;

 private:
  MeshScorer* scorer_ = nullptr;
  const G4Region* region_ = nullptr;
};

class FullSimActions : public G4VUserActionInitialization {
 public:
  /// @param verbose  see install_complaints
  FullSimActions(const RunTask& task, bool verbose) : task_(task), verbose_(verbose) {}
  void Build() const override;

 private:
  const RunTask& task_;
  bool verbose_;
};

}  // namespace geant4
