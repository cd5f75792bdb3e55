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
  std::string macro;     ///< file of Geant4 commands, executed after initialisation; empty = none
  bool verbose = false;  ///< show Geant4's output on stderr
};

/// Version of Geant4, as in "11.4.0".
std::string geant4_version();

/// Geant4, set up for a detector. A program may have only one object.
class Simulation {
 public:
  /// Builds geometry and physics. @throws core::UsageError (unknown list), core::InputError (material),
  /// core::UnavailableError (data files)
  explicit Simulation(SimulationOptions options);
  ~Simulation();

  /// Simulates the events [first, end) of a plan, in parallel.
  /// @param event_done  called after each event, from any thread, one call at a time
  /// @throws core::Interrupted (results are incomplete), core::UsageError (unknown particle)
  EventResults run(const SimulationPlan& plan, std::int64_t first, std::int64_t end,
                   const std::function<void()>& event_done);

  /// Sets the divisor of the cells for all later runs.
  void set_sampling_fraction(double value);

 private:
  struct Kernel;
  std::unique_ptr<Kernel> kernel_;
};

/// The fraction of the energy deposited in active material, over the particles of a plan.
double measure_sampling_fraction(Simulation& simulation, const SimulationPlan& plan,
                                 const std::function<void()>& event_done);

}  // namespace geant4
