#include "calo/shower/cleaning.h"

#include <cmath>
#include <numbers>

namespace calo {

CleaningReport& CleaningReport::operator+=(const CleaningReport& other) {
  showers_read += other.showers_read;
  showers_kept += other.showers_kept;
  out_of_energy_range += other.out_of_energy_range;
  out_of_angle_range += other.out_of_angle_range;
  non_finite_showers += other.non_finite_showers;
  negative_showers += other.negative_showers;
  empty_showers += other.empty_showers;
  non_finite_cells += other.non_finite_cells;
  negative_cells += other.negative_cells;
  cells_below_threshold += other.cells_below_threshold;
  energy_below_threshold_mev += other.energy_below_threshold_mev;
  return *this;
}

nlohmann::json CleaningReport::to_json() const {
  return {{"showers_read", showers_read},
          {"showers_kept", showers_kept},
          {"showers_out_of_energy_range", out_of_energy_range},
          {"showers_out_of_angle_range", out_of_angle_range},
          {"showers_with_non_finite_cells", non_finite_showers},
          {"showers_with_negative_cells", negative_showers},
          {"showers_empty", empty_showers},
          {"cells_non_finite", non_finite_cells},
          {"cells_negative", negative_cells},
          {"cells_below_threshold", cells_below_threshold},
          {"energy_below_threshold_mev", energy_below_threshold_mev}};
}

Showers clean(const Showers& showers, const CleaningOptions& options, CleaningReport& report) {
  Showers kept(showers.num_cells(), showers.geometries);
  std::vector<std::uint32_t> cells;
  std::vector<float> energies;
  for (std::size_t i = 0; i < showers.size(); ++i) {
    ++report.showers_read;
    const Conditions& condition = showers.conditions[i];
    const double energy = condition.incident_energy_mev;
    // In this form, NaN is out of range too.
    if (!(energy > 0 && energy >= options.min_energy_mev && energy <= options.max_energy_mev)) {
      ++report.out_of_energy_range;
      continue;
    }
    const double theta_deg = condition.theta_rad * 180 / std::numbers::pi;
    constexpr double kRounding = 1e-3;  // degrees; float radians
    if (!(theta_deg >= options.min_theta_deg - kRounding && theta_deg <= options.max_theta_deg + kRounding)) {
      ++report.out_of_angle_range;
      continue;
    }
    cells.clear();
    energies.clear();
    std::int64_t non_finite = 0, negative = 0, below = 0;
    double below_mev = 0;
    const auto hit_cells = showers.cells_of(i);
    const auto hit_energies = showers.energies_of(i);
    for (std::size_t hit = 0; hit < hit_cells.size(); ++hit) {
      const float value = hit_energies[hit];
      if (!std::isfinite(value)) {
        ++non_finite;
      } else if (value < 0) {
        ++negative;
      } else if (value > 0 && value < options.readout_threshold_mev) {
        ++below;
        below_mev += value;
      } else if (value > 0) {
        cells.push_back(hit_cells[hit]);
        energies.push_back(value);
      }
    }
    report.non_finite_cells += non_finite;
    report.negative_cells += negative;
    if (non_finite > 0) {
      ++report.non_finite_showers;
    } else if (negative > 0) {
      ++report.negative_showers;
    } else if (cells.empty()) {
      ++report.empty_showers;
    } else {
      ++report.showers_kept;
      report.cells_below_threshold += below;
      report.energy_below_threshold_mev += below_mev;
      kept.append(condition, cells, energies);
    }
  }
  return kept;
}

}  // namespace calo
