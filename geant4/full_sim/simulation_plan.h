#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "calo/shower/showers.h"

namespace geant4 {

/// Which particles are shot at the calorimeter: `events` of each energy and angle; of each angle, where
/// energies are a range; `events` in all, where both are.
struct GunOptions {
  std::string particle = "e-";
  std::vector<double> energies_gev;
  double min_energy_gev = 0;  ///< log-uniform range, where energies_gev is empty
  double max_energy_gev = 0;
  std::vector<double> angles_deg = {90};  ///< polar angles; 90 = perpendicular entry
  double min_angle_deg = 0;               ///< uniform range, where angles_deg is empty
  double max_angle_deg = 0;
  double phi_deg = 90;  ///< azimuth; 90 = along y, as Par04 shoots
  std::int64_t events = 100;
  std::uint64_t seed = 42;
};

/// The events of a simulation by number. What an event is depends on its number and the options alone, so
/// that it does not matter who simulates it, when, and beside what.
class SimulationPlan {
 public:
  /// @throws core::UsageError naming the option
  explicit SimulationPlan(const GunOptions& options);

  std::int64_t num_events() const { return num_events_; }
  /// Kinetic energy, angles; geometry 0.
  calo::Conditions conditions(std::int64_t event) const;
  /// Unit vector along which the particle of the event flies.
  std::array<double, 3> direction(std::int64_t event) const;
  /// For the random engine at the event's beginning; four numbers of 31 bits above zero.
  std::array<long, 4> seeds(std::int64_t event) const;

  const GunOptions& options() const { return options_; }
  nlohmann::json to_json() const;

 private:
  double angle_deg(std::int64_t event) const;

  GunOptions options_;
  std::int64_t num_events_ = 0;
};

}  // namespace geant4
