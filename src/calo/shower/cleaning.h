#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

#include "calo/shower/showers.h"

namespace calo {

/// Criteria for clean showers. Ranges apply to showers, the rest to cells.
struct CleaningOptions {
  double readout_threshold_mev = 0;  ///< cells below are set to zero
  double min_energy_mev = 0;         ///< incident energy; showers outside are dropped
  double max_energy_mev = 1e12;
  double min_theta_deg = 0;
  double max_theta_deg = 180;
};

/// Statistics of cleaning. Showers are dropped for the first reason that applies, in this order.
struct CleaningReport {
  std::int64_t showers_read = 0;
  std::int64_t showers_kept = 0;
  std::int64_t out_of_energy_range = 0;  ///< incident energy not finite, not positive, or out of range
  std::int64_t out_of_angle_range = 0;
  std::int64_t non_finite_showers = 0;  ///< a cell is NaN or infinite
  std::int64_t negative_showers = 0;    ///< a cell is negative
  std::int64_t empty_showers = 0;       ///< no cell above the threshold
  std::int64_t non_finite_cells = 0;
  std::int64_t negative_cells = 0;
  std::int64_t cells_below_threshold = 0;  ///< in the showers that are kept
  double energy_below_threshold_mev = 0;

  std::int64_t bad() const { return non_finite_showers + negative_showers + empty_showers; }
  std::int64_t dropped() const { return showers_read - showers_kept; }
  CleaningReport& operator+=(const CleaningReport& other);
  nlohmann::json to_json() const;
};

/// The clean part of `showers`, without bad showers and cells below the threshold, all of which are counted.
Showers clean(const Showers& showers, const CleaningOptions& options, CleaningReport& report);

}  // namespace calo
