#pragma once

#include <cstdint>
#include <vector>

namespace geant4 {

/// Result of one simulated event.
struct EventResult {
  std::vector<std::uint32_t> cells;  ///< in ascending order of the mesh's canonical index
  std::vector<float> energies_mev;   ///< after threshold and division by the sampling fraction
  float sim_time_s = 0;
  double active_mev = 0;  ///< deposited in active material, anywhere in the detector
  bool entered = false;   ///< the particle reached the calorimeter
  bool fast = false;      ///< the fast simulation deposited energy
};

/// Results of consecutive events, one element for each: every thread writes to its own elements.
struct EventResults {
  std::int64_t first_event = 0;
  std::vector<EventResult> results;

  EventResult& of(std::int64_t event) { return results[static_cast<std::size_t>(event - first_event)]; }
};

}  // namespace geant4
