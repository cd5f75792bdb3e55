#include "calo/validate/roc.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "calo/validate/classification.h"
#include "support/normals.h"
#include "support/python_peer.h"
#include "support/temp_folder.h"

namespace {

// Scores with many ties.
std::vector<double> rounded(std::vector<double> values) {
  for (double& value : values) value = std::round(value * 4) / 4;
  return values;
}

double share_not_below(const std::vector<double>& scores, double threshold) {
  return static_cast<double>(
             std::count_if(scores.begin(), scores.end(), [&](double score) { return score >= threshold; })) /
         static_cast<double>(scores.size());
}

TEST(RocAuc, OfEqualDistributionsIsAHalfWithinItsError) {
  double sum = 0, squares = 0;
  constexpr int kTrials = 400;
  for (std::uint64_t i = 0; i < kTrials; ++i) {
    const calo::Auc auc = calo::roc_auc(test::normals(80, 2 * i), test::normals(120, 2 * i + 1));
    const double pull = (auc.value - 0.5) / auc.error;
    sum += pull;
    squares += pull * pull;
  }
  EXPECT_NEAR(sum / kTrials, 0, 5 / std::sqrt(kTrials));
  EXPECT_NEAR(squares / kTrials, 1, 5 * std::sqrt(2.0 / kTrials));
}

TEST(RocAuc, OfShiftedNormalsIsTheKnownOne) {
  const calo::Auc auc = calo::roc_auc(test::normals(4000, 1), test::normals(4000, 2, 1.2));
  const double expected = 0.5 * std::erfc(-1.2 / 2);  // the difference has variance 2
  EXPECT_NEAR(auc.value, expected, 5 * auc.error);
  EXPECT_LT(auc.error, 0.01);
}

TEST(RocAuc, OfSeparatedSamplesIsOne) {
  const std::vector<double> low = {1, 2, 3}, high = {3.5, 4};
  EXPECT_EQ(calo::roc_auc(low, high).value, 1);
  EXPECT_EQ(calo::roc_auc(low, high).error, 0);
  EXPECT_EQ(calo::roc_auc(high, low).value, 0);
  EXPECT_EQ(calo::roc_auc(low, low).value, 0.5);
}

TEST(RocAuc, DependsOnTheOrderOfScoresOnly) {
  const std::vector<double> a = rounded(test::normals(300, 3)), b = rounded(test::normals(200, 4, 0.5));
  const auto transformed = [](std::vector<double> values) {
    for (double& value : values) value = std::exp(3 * value) - 7;
    return values;
  };
  const calo::Auc auc = calo::roc_auc(a, b);
  EXPECT_EQ(calo::roc_auc(transformed(a), transformed(b)).value, auc.value);
  EXPECT_NEAR(calo::roc_auc(b, a).value, 1 - auc.value, 1e-15);
  std::vector<double> reversed = a;
  std::reverse(reversed.begin(), reversed.end());
  EXPECT_EQ(calo::roc_auc(reversed, b).value, auc.value);
}

TEST(RocCurve, RisesFromNothingToEverythingAndTellsTheTruth) {
  for (const bool ties : {false, true}) {
    std::vector<double> a = test::normals(700, 5), b = test::normals(400, 6, 0.8);
    if (ties) a = rounded(a), b = rounded(b);
    for (const std::size_t most : {std::size_t{2}, std::size_t{20}, std::size_t{100}, std::size_t{10000}}) {
      const std::vector<calo::RocPoint> curve = calo::roc_curve(a, b, most);
      ASSERT_GE(curve.size(), 2u);
      EXPECT_LE(curve.size(), most);
      EXPECT_EQ(curve.front().recall, 0);
      EXPECT_EQ(curve.front().false_positive_rate, 0);
      EXPECT_EQ(curve.back().recall, 1);
      EXPECT_EQ(curve.back().false_positive_rate, 1);
      double area = 0;
      for (std::size_t i = 0; i < curve.size(); ++i) {
        EXPECT_TRUE(std::isfinite(curve[i].threshold));
        EXPECT_DOUBLE_EQ(curve[i].recall, share_not_below(b, curve[i].threshold));
        EXPECT_DOUBLE_EQ(curve[i].false_positive_rate, share_not_below(a, curve[i].threshold));
        if (i == 0) continue;
        EXPECT_LT(curve[i].threshold, curve[i - 1].threshold);
        EXPECT_GE(curve[i].recall, curve[i - 1].recall);
        EXPECT_GE(curve[i].false_positive_rate, curve[i - 1].false_positive_rate);
        area += (curve[i].false_positive_rate - curve[i - 1].false_positive_rate) *
                (curve[i].recall + curve[i - 1].recall) / 2;
      }
      if (most == 10000) {
        EXPECT_NEAR(area, calo::roc_auc(a, b).value, 1e-12);
      }
      if (most == 100) {
        EXPECT_NEAR(area, calo::roc_auc(a, b).value, 5e-3);
      }
    }
  }
}

TEST(RocAuc, AgreesWithScipy) {
  if (test::python() == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  const test::TempFolder folder;
  const std::vector<double> a = rounded(test::normals(300, 7)), b = rounded(test::normals(170, 8, 0.4));
  const calo::Auc auc = calo::roc_auc(a, b);
  EXPECT_EQ(test::run_python(folder.path(), test::python_list("a", a) + test::python_list("b", b) +
                                                test::python_list("ours", {auc.value, auc.error}) + R"(
import numpy as np
from scipy import stats
auc = stats.mannwhitneyu(b, a).statistic / (len(a) * len(b))
assert abs(auc - ours[0]) < 1e-12, (auc, ours)
# DeLong's error, from the placements of each score among the other sample, knows nothing of Hanley and McNeil's.
a, b = np.array(a), np.array(b)
wins = (b[:, None] > a).astype(float) + 0.5 * (b[:, None] == a)
delong = np.sqrt(wins.mean(1).var(ddof=1) / len(b) + wins.mean(0).var(ddof=1) / len(a))
assert abs(delong / ours[1] - 1) < 0.1, (delong, ours)
)"),
            0);
}

// Scores between 0 and 1, many of them equal; none on an edge of ten bins.
std::vector<double> shares(const std::vector<double>& values) {
  std::vector<double> result;
  for (const double value : values) result.push_back((std::floor(100 / (1 + std::exp(-value))) + 0.5) / 100);
  return result;
}

TEST(Judge, AgreesWithScikitLearn) {
  if (test::python() == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  const test::TempFolder folder;
  const std::vector<double> a = shares(test::normals(400, 1)), b = shares(test::normals(400, 2, 0.8));
  std::vector<double> recall, false_positives, predicted, observed;
  for (const calo::RocPoint& point : calo::roc_curve(a, b, 1000)) {
    recall.push_back(point.recall);
    false_positives.push_back(point.false_positive_rate);
  }
  for (const calo::CalibrationBin& bin : calo::calibration_curve(a, b, 10)) {
    predicted.push_back(bin.predicted);
    observed.push_back(bin.observed);
  }
  std::string script;
  const std::vector<std::pair<const char*, const std::vector<double>*>> lists = {
      {"a", &a},
      {"b", &b},
      {"recall", &recall},
      {"false_positives", &false_positives},
      {"predicted", &predicted},
      {"observed", &observed}};
  for (const auto& [name, values] : lists) script += test::python_list(name, *values);
  script += test::python_list("auc", {calo::roc_auc(a, b).value}) + R"(
import numpy as np
from sklearn.calibration import calibration_curve
from sklearn.metrics import roc_auc_score, roc_curve
truth, scores = np.repeat([0, 1], [len(a), len(b)]), np.array(a + b)
assert abs(roc_auc_score(truth, scores) - auc[0]) < 1e-12
# Corners on straight lines are left out by both, each in its way: the same curve.
fpr, tpr, _ = roc_curve(truth, scores, drop_intermediate=False)
for x, y in zip(false_positives, recall):
    assert np.min(np.hypot(fpr - x, tpr - y)) < 1e-12, (x, y)
assert abs(np.trapz(recall, false_positives) - auc[0]) < 1e-12
share, mean = calibration_curve(truth, scores, n_bins=10)
assert np.allclose(mean, predicted) and np.allclose(share, observed), (mean, predicted)
)";
  EXPECT_EQ(test::run_python(folder.path(), script), 0);
}

}  // namespace
