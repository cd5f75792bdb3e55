#include "calo/validate/distances.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/normals.h"
#include "support/python_peer.h"
#include "support/temp_folder.h"

namespace {

TEST(Distances, AreZeroForTheSameSampleInAnyOrder) {
  const std::vector<double> a = test::normals(500, 1);
  std::vector<double> b = a;
  std::reverse(b.begin(), b.end());
  EXPECT_EQ(calo::kolmogorov_smirnov(a, b).statistic, 0);
  EXPECT_EQ(calo::kolmogorov_smirnov(a, b).p_value, 1);
  EXPECT_EQ(calo::wasserstein(a, b), 0);
}

TEST(Distances, KnowTheirLimits) {
  EXPECT_DOUBLE_EQ(calo::jensen_shannon(std::vector<double>{1, 3, 0}, std::vector<double>{2, 6, 0}), 0);
  EXPECT_DOUBLE_EQ(calo::jensen_shannon(std::vector<double>{1, 0}, std::vector<double>{0, 5}), 1);
  EXPECT_DOUBLE_EQ(calo::kolmogorov_smirnov({1, 2, 3}, {4, 5}).statistic, 1);
  EXPECT_NEAR(calo::wasserstein(test::normals(300, 2), test::normals(300, 2, 2.5)), 2.5, 1e-12);
}

TEST(Distances, PValuesOfEqualSamplesAreUniform) {
  int below_half = 0, below_tenth = 0;
  constexpr int kTrials = 400;
  for (int i = 0; i < kTrials; ++i) {
    const double p = calo::kolmogorov_smirnov(test::normals(200, 1000 + 2 * static_cast<std::uint64_t>(i)),
                                              test::normals(150, 1001 + 2 * static_cast<std::uint64_t>(i)))
                         .p_value;
    below_half += p < 0.5 ? 1 : 0;
    below_tenth += p < 0.1 ? 1 : 0;
  }
  EXPECT_NEAR(below_half, 0.5 * kTrials, 5 * std::sqrt(0.25 * kTrials));
  EXPECT_NEAR(below_tenth, 0.1 * kTrials, 5 * std::sqrt(0.09 * kTrials));
}

TEST(Distances, AgreeWithScipy) {
  if (test::python() == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  const test::TempFolder folder;
  std::vector<double> a = test::normals(700, 3), b = test::normals(400, 4, 0.1);
  for (std::size_t i = 0; i < 100; ++i) b[i] = a[i];  // ties
  const auto ks = calo::kolmogorov_smirnov(a, b);
  const std::vector<double> p = {1, 5, 0, 2.5, 9}, q = {2, 4, 3, 0, 8};
  EXPECT_EQ(test::run_python(
                folder.path(),
                test::python_list("a", a) + test::python_list("b", b) + test::python_list("p", p) +
                    test::python_list("q", q) +
                    test::python_list("ks, pv, w, js", {ks.statistic, ks.p_value, calo::wasserstein(a, b),
                                                        calo::jensen_shannon(p, q)}) +
                    R"(
from scipy import stats
from scipy.spatial.distance import jensenshannon
expected = stats.ks_2samp(a, b, method='exact')
assert abs(expected.statistic - ks) < 1e-12, expected
assert abs(expected.pvalue - pv) < 0.01, (expected, pv)
assert abs(stats.wasserstein_distance(a, b) - w) < 1e-10
assert abs(jensenshannon(p, q, base=2) ** 2 - js) < 1e-12
)"),
            0);
}

TEST(Distances, ChiSquaredAndSeparationAgreeWithScipy) {
  if (test::python() == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  const test::TempFolder folder;
  const std::vector<double> n = {12, 55, 80, 31, 14}, m = {30, 90, 210, 77, 41};
  const calo::ChiSquared chi = calo::chi_squared(n, m);
  EXPECT_EQ(chi.degrees, 4);
  EXPECT_EQ(test::run_python(
                folder.path(),
                test::python_list("n", n) + test::python_list("m", m) +
                    test::python_list("ours", {chi.value, chi.p_value, calo::separation_power(n, m),
                                               calo::chi_squared_p(250, 200), calo::chi_squared_p(0.3, 1)}) +
                    R"(
import numpy as np
from scipy import stats
n, m = np.array(n), np.array(m)
want = stats.chi2_contingency(np.array([n, m]), correction=False)
p, q = n / n.sum(), m / m.sum()
for a, b in zip(ours, [want.statistic, want.pvalue, 0.5 * ((p - q) ** 2 / (p + q)).sum(), stats.chi2.sf(250, 200), stats.chi2.sf(0.3, 1)]):
    assert abs(a - b) < 1e-9 * max(1, abs(b)), (a, b)
)"),
            0);
}

TEST(Distances, ChiSquaredOfEqualSamplesIsUniform) {
  int below_tenth = 0;
  constexpr int kTrials = 400;
  const calo::BinRange bins{.low = -3, .high = 3, .bins = 30};
  for (std::uint64_t i = 0; i < kTrials; ++i) {
    std::vector<double> p(bins.bins), q(bins.bins);
    for (const double x : test::normals(300, 5000 + 2 * i)) p[bins.bin(x)] += 1;
    for (const double x : test::normals(500, 5001 + 2 * i)) q[bins.bin(x)] += 1;
    below_tenth += calo::chi_squared(p, q).p_value < 0.1 ? 1 : 0;
  }
  EXPECT_NEAR(below_tenth, 0.1 * kTrials, 5 * std::sqrt(0.09 * kTrials));
}

TEST(Distances, WeightedChiSquaredOfPoissonCountsIsThatOfCounts) {
  const std::vector<double> p = {100, 120, 90, 300}, q = {110, 130, 70, 310};
  const calo::ChiSquared weighted = calo::chi_squared(p, p, q, q);
  EXPECT_NEAR(weighted.value, calo::chi_squared(p, q).value, 0.05 * weighted.value);
  EXPECT_EQ(weighted.degrees, 3);
}

TEST(Distances, SampleDistancesAreTheExactOnes) {
  const std::vector<double> a = test::normals(300, 1), b = test::normals(200, 2, 0.3);
  const calo::BinRange bins{.low = -2, .high = 2};
  const calo::SampleDistances d = calo::sample_distances(a, b, bins, {}, {}, {});
  EXPECT_NEAR(d.estimates.of("wasserstein").value, calo::wasserstein(a, b), 1e-12);
  EXPECT_NEAR(d.estimates.of("ks").value, calo::kolmogorov_smirnov(a, b).statistic, 1e-12);
  EXPECT_NEAR(d.ks_p_value, calo::kolmogorov_smirnov(a, b).p_value, 1e-12);
  EXPECT_FALSE(d.estimates.of("ks").has_floor);
  // A shower without a value is left out.
  std::vector<double> with_gap = a;
  with_gap.push_back(std::nan(""));
  EXPECT_EQ(calo::sample_distances(with_gap, b, bins, {}, {}, {}).estimates.of("ks").value,
            d.estimates.of("ks").value);
}

TEST(Distances, BootstrapErrorIsTheSpreadOfTheDistance) {
  const calo::BinRange bins{.low = -3, .high = 4};
  std::vector<double> values, errors;
  for (std::uint64_t i = 0; i < 60; ++i) {
    const auto d = calo::sample_distances(test::normals(200, 100 + i), test::normals(200, 300 + i, 0.8), bins,
                                          calo::poisson_replicas(200, 40, i),
                                          calo::poisson_replicas(200, 40, i + 500), {});
    values.push_back(d.estimates.of("wasserstein").value);
    errors.push_back(d.estimates.of("wasserstein").error);
  }
  EXPECT_NEAR(calo::spread(errors).mean / calo::spread(values).deviation, 1, 0.3);
}

TEST(Distances, FloorIsTheDistanceOfHalves) {
  const std::vector<double> a = test::normals(400, 1);
  const calo::Replicas halves = calo::half_replicas(400, 20, 3);
  for (const auto& half : halves) EXPECT_EQ(std::count(half.begin(), half.end(), 1), 200);
  const auto d = calo::sample_distances(a, test::normals(400, 2, 5), {.low = -3, .high = 3}, {}, {}, halves);
  std::vector<double> expected;
  for (const auto& half : halves) {
    std::vector<double> first, second;
    for (std::size_t i = 0; i < a.size(); ++i) (half[i] != 0 ? first : second).push_back(a[i]);
    expected.push_back(calo::wasserstein(first, second));
  }
  EXPECT_NEAR(d.estimates.of("wasserstein").floor, calo::spread(expected).mean, 1e-12);
  EXPECT_NEAR(d.estimates.of("wasserstein").floor_error, calo::spread(expected).deviation, 1e-12);
}

TEST(Distances, PoissonReplicasCountOnceOnAverage) {
  const calo::Replicas replicas = calo::poisson_replicas(20'000, 2, 1);
  double sum = 0, squares = 0, none = 0;
  for (const std::uint8_t weight : replicas[0]) {
    sum += weight;
    squares += weight * weight;
    none += weight == 0 ? 1 : 0;
  }
  EXPECT_NEAR(sum / 20'000, 1, 0.03);
  EXPECT_NEAR(squares / 20'000, 2, 0.1);
  EXPECT_NEAR(none / 20'000, std::exp(-1), 0.015);
  EXPECT_NE(replicas[0], replicas[1]);
}

TEST(Distances, HolmMultipliesTheSmallestByTheNumber) {
  const std::vector<double> corrected = calo::holm(std::vector<double>{0.01, 0.5, 0.02, 0.04});
  EXPECT_NEAR(corrected[0], 0.04, 1e-12);
  EXPECT_NEAR(corrected[2], 0.06, 1e-12);
  EXPECT_NEAR(corrected[3], 0.08, 1e-12);
  EXPECT_NEAR(corrected[1], 0.5, 1e-12);
}

// A shift of the mean by δ σ has, for samples of n, the expected significance δ √(n / 2) in a test of means;
// Kolmogorov and Smirnov's has most of that power.
TEST(Distances, AKnownShiftIsFound) {
  int found = 0;
  for (std::uint64_t i = 0; i < 100; ++i)
    found +=
        calo::kolmogorov_smirnov(test::normals(800, 7000 + i), test::normals(800, 8000 + i, 0.2)).p_value <
                0.05
            ? 1
            : 0;
  // 4 σ in means: the test of means finds 98 %, this one 90 % or more.
  EXPECT_GE(found, 85);
}

}  // namespace
