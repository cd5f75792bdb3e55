#include "geant4/full_sim/simulation_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"
#include "core/philox.h"

namespace geant4 {
namespace {

constexpr std::uint32_t kEnergyStream = 0x67345f65, kAngleStream = 0x67345f61, kEngineStream = 0x67345f73;
constexpr double kRadians = std::numbers::pi / 180;

// Uniform in [0, 1).
double uniform(std::uint64_t seed, std::int64_t event, std::uint32_t stream) {
  core::Philox random(seed, static_cast<std::uint64_t>(event), stream);
  return random.next_u32() * 0x1p-32;
}

void check_energies(const GunOptions& options) {
  for (const double energy_gev : options.energies_gev)
    if (!(energy_gev > 0 && std::isfinite(energy_gev)))
      throw core::UsageError({.message = fmt::format("cannot be {}", energy_gev),
                              .field = "energy_gev",
                              .hint = "allowed: above 0"});
  if (options.energies_gev.empty() &&
      !(options.min_energy_gev > 0 && options.max_energy_gev >= options.min_energy_gev &&
        std::isfinite(options.max_energy_gev)))
    throw core::UsageError({.message = "no energies are given",
                            .field = "energy_gev",
                            .hint = "give --energy-gev, or --min-energy-gev and --max-energy-gev"});
}

void check_angle(double angle_deg, const char* field) {
  if (!(angle_deg > 0 && angle_deg < 180))
    throw core::UsageError(
        {.message = fmt::format("cannot be {}: there is no calorimeter along the beam", angle_deg),
         .field = field,
         .hint = "allowed: above 0, below 180"});
}

void check_angles(const GunOptions& options) {
  for (const double angle_deg : options.angles_deg) check_angle(angle_deg, "angle_deg");
  if (!options.angles_deg.empty()) return;
  check_angle(options.min_angle_deg, "min_angle_deg");
  check_angle(options.max_angle_deg, "max_angle_deg");
  if (options.max_angle_deg < options.min_angle_deg)
    throw core::UsageError({.message = "is below min_angle_deg", .field = "max_angle_deg"});
}

}  // namespace

SimulationPlan::SimulationPlan(const GunOptions& options) : options_(options) {
  check_energies(options);
  check_angles(options);
  if (options.events < 1 || options.events > 1'000'000'000)
    throw core::UsageError({.message = fmt::format("cannot be {}", options.events),
                            .field = "events",
                            .hint = "allowed: 1 to 1000000000"});
  const auto points = [](const std::vector<double>& values) {
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(values.size()));
  };
  num_events_ = options.events * points(options.energies_gev) * points(options.angles_deg);
}

// The order is angles (outermost), energies, events.
double SimulationPlan::angle_deg(std::int64_t event) const {
  if (options_.angles_deg.empty())
    return options_.min_angle_deg +
           (options_.max_angle_deg - options_.min_angle_deg) * uniform(options_.seed, event, kAngleStream);
  const auto per_angle = num_events_ / static_cast<std::int64_t>(options_.angles_deg.size());
  return options_.angles_deg[static_cast<std::size_t>(event / per_angle)];
}

calo::Conditions SimulationPlan::conditions(std::int64_t event) const {
  double energy_gev = 0;
  if (options_.energies_gev.empty()) {
    energy_gev = options_.min_energy_gev * std::pow(options_.max_energy_gev / options_.min_energy_gev,
                                                    uniform(options_.seed, event, kEnergyStream));
  } else {
    const auto energies = static_cast<std::int64_t>(options_.energies_gev.size());
    energy_gev = options_.energies_gev[static_cast<std::size_t>(event / options_.events % energies)];
  }
  return {.incident_energy_mev = static_cast<float>(energy_gev * 1000),
          .theta_rad = static_cast<float>(angle_deg(event) * kRadians),
          .phi_rad = static_cast<float>(options_.phi_deg * kRadians)};
}

std::array<double, 3> SimulationPlan::direction(std::int64_t event) const {
  const double theta = angle_deg(event) * kRadians, phi = options_.phi_deg * kRadians;
  // Makes 90 degrees exact, without rounding errors.
  const auto clean = [](double value) { return std::abs(value) < 1e-12 ? 0.0 : value; };
  return {clean(std::sin(theta) * std::cos(phi)), clean(std::sin(theta) * std::sin(phi)),
          clean(std::cos(theta))};
}

std::array<long, 4> SimulationPlan::seeds(std::int64_t event) const {
  core::Philox random(options_.seed, static_cast<std::uint64_t>(event), kEngineStream);
  std::array<long, 4> seeds{};
  for (long& seed : seeds) seed = 1 + static_cast<long>(random.next_u32() >> 1);
  return seeds;
}

nlohmann::json SimulationPlan::to_json() const {
  nlohmann::json json = {{"particle", options_.particle},
                         {"phi_deg", options_.phi_deg},
                         {"events", options_.events},
                         {"seed", options_.seed}};
  if (options_.energies_gev.empty()) {
    json["min_energy_gev"] = options_.min_energy_gev;
    json["max_energy_gev"] = options_.max_energy_gev;
  } else {
    json["energy_gev"] = options_.energies_gev;
  }
  if (options_.angles_deg.empty()) {
    json["min_angle_deg"] = options_.min_angle_deg;
    json["max_angle_deg"] = options_.max_angle_deg;
  } else {
    json["angle_deg"] = options_.angles_deg;
  }
  return json;
}

}  // namespace geant4
