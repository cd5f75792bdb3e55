#include "calo/validate/energy_scan.h"

#include <gtest/gtest.h>

#include <cmath>

namespace {

TEST(ResolutionFit, FindsTheTermsThatMadeThePoints) {
  const std::vector<double> energies{1, 2, 4, 8, 16, 32, 64};
  calo::ScanSide points;
  for (const double energy : energies) {
    points.values.push_back(std::sqrt(0.17 * 0.17 / energy + 0.01 * 0.01));
    points.errors.push_back(0.02 * points.values.back());
  }
  const calo::ResolutionFit fit = calo::fit_resolution(energies, points);
  ASSERT_TRUE(fit.is_fitted);
  EXPECT_NEAR(fit.stochastic, 0.17, 1e-9);
  EXPECT_NEAR(fit.constant, 0.01, 1e-9);
  EXPECT_GT(fit.stochastic_error, 0);
  EXPECT_NEAR(fit.at(4), points.values[2], 1e-9);
}

TEST(ResolutionFit, HasNoNegativeTerms) {
  // Falls faster than 1 / √E: no constant term.
  const calo::ScanSide points{.values = {0.3, 0.1, 0.02}, .errors = {0.01, 0.01, 0.01}};
  const calo::ResolutionFit fit = calo::fit_resolution({1, 4, 16}, points);
  ASSERT_TRUE(fit.is_fitted);
  EXPECT_EQ(fit.constant, 0);
  EXPECT_GT(fit.constant_error, 0);
  EXPECT_FALSE(calo::fit_resolution({1, 4}, {.values = {0.3, 0.2}, .errors = {0.01, 0.01}}).is_fitted);
}

}  // namespace
