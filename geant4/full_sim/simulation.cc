#include "geant4/full_sim/simulation.h"

#include <CLHEP/Units/SystemOfUnits.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <G4EmParameters.hh>
#include <G4FastSimulationPhysics.hh>
#include <G4ParallelWorldPhysics.hh>
#include <G4ParticleTable.hh>
#include <G4PhysListFactory.hh>
#include <G4RunManager.hh>
#include <G4RunManagerFactory.hh>
#include <G4UImanager.hh>
#include <G4VModularPhysicsList.hh>
#include <G4Version.hh>
#include <algorithm>
#include <mutex>

#include "core/error.h"
#include "core/interrupt.h"
#include "geant4/fast_sim/calopipe_fast_sim_messenger.h"
#include "geant4/full_sim/actions.h"
#include "geant4/full_sim/complaints.h"
#include "geant4/full_sim/data_folders.h"
#include "geant4/full_sim/em_physics.h"
#include "geant4/full_sim/par04_detector.h"
#include "geant4/full_sim/readout_world.h"

// A function of Geant4; the header that declares it differs between releases.
const char* G4FindDataDir(const char* variable);

namespace geant4 {
namespace {

constexpr const char* kWithoutData = "em-no-data";
constexpr const char *kActiveWorld = "readoutActive", *kLayerWorld = "readoutLayers";

std::vector<std::string> missing_data() {
  std::vector<std::string> missing;
  for (const std::string& variable : data_variables())
    if (G4FindDataDir(variable.c_str()) == nullptr) missing.push_back(variable);
  return missing;
}

// Creates a reference list, or our own. Geant4 owns it.
G4VModularPhysicsList* make_physics(const SimulationOptions& options,
                                    const std::vector<std::string>& missing) {
  G4VModularPhysicsList* list = nullptr;
  if (options.physics == kWithoutData) {
    list = new G4VModularPhysicsList;
    list->RegisterPhysics(new EmPhysicsWithoutData);
  } else {
    G4PhysListFactory factory(0);
    if (!factory.IsReferencePhysList(options.physics))
      throw core::UsageError({.message = fmt::format("\"{}\" is not a physics list", options.physics),
                              .field = "physics",
                              .hint = fmt::format("{}, or one of {}", kWithoutData,
                                                  fmt::join(factory.AvailablePhysLists(), ", "))});
    if (std::find(missing.begin(), missing.end(), "G4LEDATA") != missing.end() ||
        std::find(missing.begin(), missing.end(), "G4ENSDFSTATEDATA") != missing.end())
      throw core::UnavailableError(
          {.message = fmt::format("{} needs data files that are missing: {}", options.physics,
                                  fmt::join(missing, ", ")),
           .field = "physics",
           .hint = fmt::format("source geant4.sh of an installation with data, or use {}", kWithoutData)});
    list = factory.GetReferencePhysList(options.physics);
  }
  list->SetVerboseLevel(0);
  list->SetDefaultCutValue(options.cut_mm * CLHEP::mm);
  if (options.fast) {
    auto* fast = new G4FastSimulationPhysics;
    for (const std::string& particle : options.fast->options().particles)
      fast->ActivateFastSimulation(particle);
    list->RegisterPhysics(fast);
  }
  if (options.detector.readout.rows > 0)
    for (const char* world : {kActiveWorld, kLayerWorld})
      list->RegisterPhysics(new G4ParallelWorldPhysics(world));
  G4EmParameters::Instance()->SetVerbose(0);
  return list;
}

}  // namespace

std::string geant4_version() {
  return fmt::format("{}.{}.{}", G4VERSION_NUMBER / 100, G4VERSION_NUMBER / 10 % 10, G4VERSION_NUMBER % 10);
}

struct Simulation::Kernel {
  std::unique_ptr<DataFolders> data;
  RunTask task;
  std::unique_ptr<G4RunManager> manager;
  std::unique_ptr<CalopipeFastSimMessenger> messenger;
  Par04Detector* detector = nullptr;  // owned by the manager
};

Simulation::Simulation(SimulationOptions options) : kernel_(std::make_unique<Kernel>()) {
  // The kernel needs the folders before it can be asked for a physics list.
  const std::vector<std::string> missing = missing_data();
  kernel_->data = std::make_unique<DataFolders>(missing);
#ifdef G4MULTITHREADED
  const G4RunManagerType type = options.threads > 1 ? G4RunManagerType::MTOnly : G4RunManagerType::SerialOnly;
#else
  const G4RunManagerType type = G4RunManagerType::SerialOnly;
#endif
  kernel_->manager.reset(G4RunManagerFactory::CreateRunManager(type));
  if (type == G4RunManagerType::MTOnly) kernel_->manager->SetNumberOfThreads(options.threads);
  install_complaints(options.verbose);
  kernel_->manager->SetVerboseLevel(options.verbose ? 1 : 0);
  G4VModularPhysicsList* physics = make_physics(options, missing);
  kernel_->detector = new Par04Detector(options.detector, options.fast);
  if (options.detector.readout.rows > 0) {
    const Detector& detector = kernel_->detector->detector();
    kernel_->detector->RegisterParallelWorld(
        new ReadoutWorld(kActiveWorld, detector, ReadoutWorld::Cells::kActive));
    kernel_->detector->RegisterParallelWorld(
        new ReadoutWorld(kLayerWorld, detector, ReadoutWorld::Cells::kLayers));
  }
  if (options.fast) kernel_->messenger = std::make_unique<CalopipeFastSimMessenger>(options.fast);
  kernel_->manager->SetUserInitialization(kernel_->detector);
  kernel_->manager->SetUserInitialization(physics);
  kernel_->manager->SetUserInitialization(new FullSimActions(kernel_->task, options.verbose));
  kernel_->manager->Initialize();
  if (!options.macro.empty() &&
      G4UImanager::GetUIpointer()->ApplyCommand("/control/execute " + options.macro) != 0)
    throw core::InputError({.message = "has a command that Geant4 rejects",
                            .file = options.macro,
                            .field = "macro",
                            .hint = "--verbose shows the command"});
}

Simulation::~Simulation() = default;

EventResults Simulation::run(const SimulationPlan& plan, std::int64_t first, std::int64_t end,
                             const std::function<void()>& event_done) {
  const std::string& particle = plan.options().particle;
  if (G4ParticleTable::GetParticleTable()->FindParticle(particle) == nullptr)
    throw core::UsageError({.message = fmt::format("\"{}\" is not a particle of this physics list", particle),
                            .field = "particle",
                            .hint = fmt::format("{} knows e-, e+ and gamma", kWithoutData)});
  EventResults results{.first_event = first};
  results.results.resize(static_cast<std::size_t>(end - first));
  std::mutex mutex;
  kernel_->task = {.plan = &plan, .results = &results, .event_done = [&] {
                     const std::lock_guard lock(mutex);
                     event_done();
                   }};
  kernel_->manager->BeamOn(static_cast<G4int>(end - first));
  kernel_->task = {};
  if (core::interrupt_requested()) throw core::Interrupted({.message = "the simulation was interrupted"});
  return results;
}

void Simulation::set_sampling_fraction(double value) {
  kernel_->detector->set_sampling_fraction(value);
}

double measure_sampling_fraction(Simulation& simulation, const SimulationPlan& plan,
                                 const std::function<void()>& event_done) {
  const EventResults results = simulation.run(plan, 0, plan.num_events(), event_done);
  double active_mev = 0, incident_mev = 0;
  for (std::int64_t i = 0; i < plan.num_events(); ++i) {
    active_mev += results.results[static_cast<std::size_t>(i)].active_mev;
    incident_mev += plan.conditions(i).incident_energy_mev;
  }
  if (!(active_mev > 0))
    throw core::InputError({.message = "no energy is deposited in active material",
                            .field = "detector.absorbers",
                            .hint = "mark the measured plates with active: true"});
  return active_mev / incident_mev;
}

}  // namespace geant4
