#include "calo/classify/detail/isotonic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/philox.h"
#include "support/python_peer.h"
#include "support/temp_folder.h"

namespace {

TEST(IsotonicRegression, IsTheKnownAnswer) {
  // Labels 0 1 0 1 1 by rising score: the violators in the middle are pooled to 1/2.
  const auto fit = calo::IsotonicRegression::fit(std::vector{1.0, 3.0}, std::vector{2.0, 4.0, 5.0});
  EXPECT_EQ(fit(2), 0.5);
  EXPECT_EQ(fit(2.5), 0.5);
  EXPECT_EQ(fit(3), 0.5);
  EXPECT_DOUBLE_EQ(fit(1.5), 0.25);
  EXPECT_DOUBLE_EQ(fit(3.5), 0.75);
  EXPECT_DOUBLE_EQ(fit(-100), 1.0 / 7);  // 0, but from five showers
  EXPECT_DOUBLE_EQ(fit(100), 6.0 / 7);
}

TEST(IsotonicRegression, EqualScoresHaveOneProbability) {
  const auto fit = calo::IsotonicRegression::fit(std::vector{0.0, 0.0, 0.0}, std::vector{0.0});
  EXPECT_EQ(fit(-1), 0.25);
  EXPECT_EQ(fit(0), 0.25);
  EXPECT_EQ(fit(1), 0.25);
}

// min-max formula: the regression at score i is max over a <= i of min over b >= i of mean(a … b).
TEST(IsotonicRegression, IsTheMinMaxFormula) {
  std::vector<double> scores, negative, positive;
  std::vector<int> labels;
  for (std::uint64_t i = 0; i < 60; ++i) {
    core::Philox random(3, i);
    const bool fast = random.uniform() < 0.5f;
    scores.push_back(static_cast<double>(random.normal()) + (fast ? 0.8 : 0));
    (fast ? positive : negative).push_back(scores.back());
    labels.push_back(fast ? 1 : 0);
  }
  const auto fit = calo::IsotonicRegression::fit(negative, positive);
  std::vector<std::size_t> order(60);
  for (std::size_t i = 0; i < 60; ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  for (std::size_t i = 0; i < 60; ++i) {
    double highest = 0;
    for (std::size_t a = 0; a <= i; ++a) {
      double lowest = 1, sum = 0;
      for (std::size_t b = a; b < 60; ++b) {
        sum += labels[order[b]];
        if (b >= i) lowest = std::min(lowest, sum / static_cast<double>(b - a + 1));
      }
      highest = std::max(highest, lowest);
    }
    EXPECT_NEAR(fit(scores[order[i]]), std::clamp(highest, 1.0 / 62, 61.0 / 62), 1e-12) << i;
  }
}

TEST(IsotonicRegression, AgreesWithScikitLearn) {
  if (test::python() == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  const test::TempFolder folder;
  std::vector<double> negative, positive, asked, answers;
  for (std::uint64_t i = 0; i < 300; ++i) {
    core::Philox random(5, i);
    negative.push_back(std::round(10 * static_cast<double>(random.normal())) / 10);
    positive.push_back(std::round(10 * static_cast<double>(random.normal()) + 8) / 10);
  }
  const auto fit = calo::IsotonicRegression::fit(negative, positive);
  for (int i = -50; i <= 50; ++i) {
    asked.push_back(0.1 * i + 0.03);
    answers.push_back(fit(asked.back()));
  }
  EXPECT_EQ(
      test::run_python(folder.path(),
                       test::python_list("negative", negative) + test::python_list("positive", positive) +
                           test::python_list("asked", asked) + test::python_list("answers", answers) + R"(
import numpy as np
from sklearn.isotonic import IsotonicRegression
fit = IsotonicRegression(out_of_bounds="clip").fit(negative + positive, np.repeat([0, 1], 300))
want = np.clip(fit.predict(asked), 1 / 602, 601 / 602)
assert np.allclose(want, answers, atol=1e-12), np.abs(want - answers).max()
)"),
      0);
}

}  // namespace
