#include "calo/validate/distances.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/philox.h"
#include "support/python_peer.h"
#include "support/temp_folder.h"

namespace {

std::vector<double> normals(std::size_t count, std::uint64_t seed, double shift = 0) {
  std::vector<double> values;
  core::Philox random(seed, 0);
  for (std::size_t i = 0; i < count; ++i) values.push_back(random.normal() + shift);
  return values;
}

TEST(Distances, AreZeroForTheSameSampleInAnyOrder) {
  const std::vector<double> a = normals(500, 1);
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
  EXPECT_NEAR(calo::wasserstein(normals(300, 2), normals(300, 2, 2.5)), 2.5, 1e-12);
}

TEST(Distances, PValuesOfEqualSamplesAreUniform) {
  int below_half = 0, below_tenth = 0;
  constexpr int kTrials = 400;
  for (int i = 0; i < kTrials; ++i) {
    const double p = calo::kolmogorov_smirnov(normals(200, 1000 + 2 * static_cast<std::uint64_t>(i)),
                                              normals(150, 1001 + 2 * static_cast<std::uint64_t>(i)))
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
  std::vector<double> a = normals(700, 3), b = normals(400, 4, 0.1);
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

}  // namespace
