#include "calo/shower/cleaning.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace {

TEST(Cleaning, CountsEachKindOfBadShowerAndKeepsTheRest) {
  calo::Showers showers(6, {"SiW"});
  const auto add = [&](float energy_mev, float theta_rad, std::vector<float> cells) {
    showers.append_dense({.incident_energy_mev = energy_mev, .theta_rad = theta_rad}, cells);
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  add(1000, 1, {0, 5, 0.1f, 7, 0, 0});
  add(1000, 1, {0, nan, 0, 1, 0, 0});
  add(1000, 1, {0, -1, 0, 1, 0, 0});
  add(1000, 1, {0, 0.2f, 0, 0, 0, 0});
  add(1000, 1, {0, 0, 0, 0, 0, 0});
  add(-5, 1, {1, 1, 0, 0, 0, 0});
  add(nan, 1, {1, 1, 0, 0, 0, 0});
  add(9000, 1, {1, 1, 0, 0, 0, 0});
  add(1000, 3, {1, 1, 0, 0, 0, 0});
  calo::CleaningReport report;
  const calo::Showers kept = calo::clean(
      showers, {.readout_threshold_mev = 0.5, .max_energy_mev = 5000, .max_theta_deg = 90}, report);
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(std::vector<std::uint32_t>(kept.cells_of(0).begin(), kept.cells_of(0).end()),
            (std::vector<std::uint32_t>{1, 3}));
  EXPECT_EQ(report.showers_read, 9);
  EXPECT_EQ(report.showers_kept, 1);
  EXPECT_EQ(report.non_finite_showers, 1);
  EXPECT_EQ(report.negative_showers, 1);
  EXPECT_EQ(report.empty_showers, 2);
  EXPECT_EQ(report.out_of_energy_range, 3);
  EXPECT_EQ(report.out_of_angle_range, 1);
  EXPECT_EQ(report.cells_below_threshold, 1);
  EXPECT_EQ(report.bad(), 4);
  EXPECT_EQ(report.dropped(), 8);
}

}  // namespace
