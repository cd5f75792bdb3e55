#pragma once

#include <functional>
#include <memory>
#include <string>

#include "geant4/fast_sim/fast_sim_setup.h"
#include "geant4/full_sim/detector.h"
#include "geant4/full_sim/event_results.h"
#include "geant4/full_sim/simulation_plan.h"

namespace geant4 {

struct SimulationOptions {
  Detector detector;
  std::string physics =
      "em-no-data";     ///< or a reference list of Geant4 ("FTFP_BERT"), which needs data files
  double cut_mm = 0.7;  ///< production cut in range
  int threads = 1;
  std::shared_ptr<FastSimSetup> fast;  ///< null = full simulation
  std::string macro;                   ///< a file of Geant4 commands, after initialisation; empty = none
  bool verbose = false;                ///< Geant4's output, on stderr
};

/// Geant4's version, as in "11.4.0".
std::string geant4_version();

/// Geant4 set up for a detector: one object in a program.
class Simulation {
 public:
  /// Builds geometry and physics. @throws core::UsageError (unknown list), core::InputError (material),
  /// core::UnavailableError (data files)
  explicit Simulation(SimulationOptions options);
  ~Simulation();

  /// Simulates the events [first, end) of a plan, in parallel.
  /// @param event_done  called after each, from any thread, one at a time
  /// @throws core::Interrupted (results are incomplete), core::UsageError (unknown particle)
  EventResults run(const SimulationPlan& plan, std::int64_t first, std::int64_t end,
                   const std::function<void()>& event_done);

  /// Cells are divided by it from the next run on.
  void set_sampling_fraction(double value);

 private:
  struct Kernel;
  std::unique_ptr<Kernel> kernel_;
};

/// The part of the energy that is deposited in active material, over the particles of a plan.
double measure_sampling_fraction(Simulation& simulation, const SimulationPlan& plan,
                                 const std::function<void()>& event_done);

}  // namespace geant4
