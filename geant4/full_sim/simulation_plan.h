#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "calo/shower/showers.h"

namespace geant4 {

/// The particles shot at the calorimeter: `events` for each energy and angle; for each angle, if energies are
/// a range; `events` in total, if both are ranges.
struct GunOptions {
  std::string particle = "e-";
  std::vector<double> energies_gev;
  double min_energy_gev = 0;  ///< log-uniform range, used if energies_gev is empty
  double max_energy_gev = 0;
  std::vector<double> angles_deg = {90};  ///< polar angles; 90 = perpendicular entry
  double min_angle_deg = 0;               ///< uniform range, used if angles_deg is empty
  double max_angle_deg = 0;
  double phi_deg = 90;  ///< azimuth; 90 = along y, as in Par04
  std::int64_t events = 100;
  std::uint64_t seed = 42;
};

/// The events of a simulation by number. An event depends only on its number and the options, not on the
/// thread, the time or other events.
class SimulationPlan {
 public:
  /// @throws core::UsageError naming the option
  explicit SimulationPlan(const GunOptions& options);

  std::int64_t num_events() const { return num_events_; }
  /// Kinetic energy and angles of an event; the geometry is 0.
  calo::Conditions conditions(std::int64_t event) const;
  /// Unit vector of the particle's direction.
  std::array<double, 3> direction(std::int64_t event) const;
  /// Seeds of the random engine for an event; four numbers of 31 bits above zero.
  std::array<long, 4> seeds(std::int64_t event) const;

  const GunOptions& options() const { return options_; }
  nlohmann::json to_json() const;

 private:
  double angle_deg(std::int64_t event) const;

  GunOptions options_;
  std::int64_t num_events_ = 0;
};

}  // namespace geant4
