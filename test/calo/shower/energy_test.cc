#include "calo/shower/energy.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace {

using nlohmann::json;

// Number in JSON.
std::string shown(double mev) {
  return json(calo::energy_gev(mev)).dump();
}

TEST(Energy, InGevIsTheShortestNumberThatNamesIt) {
  EXPECT_EQ(shown(4194304), "4194.304");
  EXPECT_EQ(shown(256), "0.256");
  EXPECT_EQ(shown(64000), "64.0");
  EXPECT_EQ(shown(65.536f), "0.065536");
  EXPECT_EQ(shown(float(1.1e3)), "1.1");
  EXPECT_EQ(shown(123456.7f), "123.4567");
  EXPECT_EQ(shown(0.1f), "0.0001");
  EXPECT_EQ(shown(0), "0.0");
  EXPECT_EQ(shown(-2000), "-2.0");
  EXPECT_EQ(shown(1e12), "1000000000.0");
  EXPECT_EQ(shown(1234.56789012345), "1.23456789012345");  // a mean that is not a float32
  EXPECT_TRUE(std::isnan(calo::energy_gev(std::numeric_limits<double>::quiet_NaN())));
}

TEST(Energy, TextTellsEnergiesApartButNotTheirRounding) {
  EXPECT_EQ(calo::energy_text(4194.304), "4194.304");
  EXPECT_EQ(calo::energy_text(64), "64");
  EXPECT_EQ(calo::energy_text(0.256), "0.256");
  EXPECT_EQ(calo::energy_text(299.99997f / 1000.0), "0.3");
  EXPECT_EQ(calo::energy_text(0.0), "0");
  EXPECT_NE(calo::energy_text(4194.304), calo::energy_text(4194.301));
  // Six digits are used if they suffice.
  for (const double gev : {0.001, 0.065536, 1.0, 10.5, 999.999, 1024.0, 123456.0})
    EXPECT_EQ(calo::energy_text(gev), fmt::format("{:.6g}", gev));
}

}  // namespace
