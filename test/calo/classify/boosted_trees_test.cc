#include "calo/classify/detail/boosted_trees.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "calo/classify/detail/tree_classifier.h"
#include "calo/validate/detail/logistic_classifier.h"
#include "core/error.h"
#include "core/philox.h"
#include "core/staged_output.h"
#include "support/classify_tables.h"
#include "support/python_peer.h"
#include "support/temp_folder.h"

namespace {

using calo::BoostedTrees;
using calo::FeatureTable;

// Two samples that differ in what no sum of features shows: the sign of x0 · x1, and a hole in x2.
FeatureTable sample(std::size_t rows, std::uint64_t seed, bool fast) {
  FeatureTable table{.names = {"x0", "x1", "x2", "x3"}, .values = {}};
  table.resize(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    core::Philox random(seed, i, fast ? 1 : 0);
    std::vector<double> x = {random.normal(), random.normal(), random.normal(), random.normal()};
    if (fast && random.uniform() < 0.3f) x[1] = std::copysign(x[1], x[0]);
    if (fast && std::abs(x[2]) < 0.1) x[2] += 1;
    table.set_row(i, x);
  }
  return table;
}

std::vector<std::size_t> range(std::size_t begin, std::size_t end) {
  std::vector<std::size_t> rows(end - begin);
  std::iota(rows.begin(), rows.end(), begin);
  return rows;
}

double auc_of(const std::vector<double>& full, const std::vector<double>& fast) {
  return calo::roc_auc(full, fast).value;
}

struct Fitted {
  explicit Fitted(std::size_t train, std::size_t test, int threads = 2, bool differ = true)
      : full(sample(train + 2 * test, 1, false)), fast(sample(train + 2 * test, 2, differ)) {
    core::ThreadPool pool(threads);
    const auto training = range(0, train), selection = range(train, train + test);
    model = BoostedTrees::fit({full, fast, training}, {full, fast, selection}, {}, pool);
    for (std::size_t row = train + test; row < train + 2 * test; ++row) {
      full_logits.push_back(model.logit(full.row(row)));
      fast_logits.push_back(model.logit(fast.row(row)));
    }
  }
  FeatureTable full, fast;
  BoostedTrees model;
  std::vector<double> full_logits, fast_logits;
};

TEST(BoostedTrees, FindWhatLinearModelsCannot) {
  const Fitted fitted(4000, 1500);
  EXPECT_GT(auc_of(fitted.full_logits, fitted.fast_logits), 0.6);
  core::ThreadPool pool(2);
  const calo::Classification linear =
      test::classify_tables(calo::LogisticClassifier(), fitted.full, fitted.fast, pool);
  EXPECT_LT(linear.auc.value, 0.57);
}

TEST(BoostedTrees, AreTheSameWithAnyNumberOfThreads) {
  const Fitted one(800, 200, 1), three(800, 200, 3);
  EXPECT_EQ(one.full_logits, three.full_logits);
  EXPECT_EQ(one.fast_logits, three.fast_logits);
  EXPECT_EQ(one.model.trees(), three.model.trees());
}

TEST(BoostedTrees, OfTheSameDistributionGuess) {
  const Fitted fitted(3000, 2000, 2, false);
  const double auc = auc_of(fitted.full_logits, fitted.fast_logits);
  EXPECT_NEAR(auc, 0.5, 4 * std::sqrt(1 / (6.0 * 2000)));
  EXPECT_LT(fitted.model.trees(), 60);  // the selection rows end it
}

// Logits are odds: of the rows that it is sure of by p, a share of p is positive.
TEST(BoostedTrees, LogitsAreCalibrated) {
  const Fitted fitted(6000, 3000);
  const auto scores = [](std::vector<double> logits) {
    for (double& logit : logits) logit = 1 / (1 + std::exp(-logit));
    return logits;
  };
  for (const calo::CalibrationBin& bin :
       calo::calibration_curve(scores(fitted.full_logits), scores(fitted.fast_logits))) {
    if (bin.showers < 100) continue;
    EXPECT_NEAR(bin.observed, bin.predicted, 0.05 + 4 * bin.error);
  }
}

TEST(BoostedTrees, FeaturesWithFewOrEqualValuesAreTaken) {
  FeatureTable full{.names = {"constant", "flag"}, .values = {}}, fast = full;
  full.resize(400);
  fast.resize(400);
  for (std::size_t i = 0; i < 400; ++i) {
    full.set_row(i, {3, i % 4 == 0 ? 1.0 : 0.0});
    fast.set_row(i, {3, i % 4 == 0 ? 0.0 : 1.0});
  }
  core::ThreadPool pool(2);
  const calo::TreeClassifier trees({});
  const calo::Classification result = test::classify_tables(trees, full, fast, pool);
  EXPECT_NEAR(result.auc.value, 0.75, 0.06);
  EXPECT_THROW(test::classify_tables(trees, full, fast.first(10), pool), core::InputError);
  EXPECT_THROW(test::classify_tables(calo::TreeClassifier({.trainings = 0}), full, fast, pool),
               core::UsageError);
}

// The peer: scikit-learn's histogram-based boosting on the same rows.
TEST(BoostedTrees, AreAsGoodAsScikitLearns) {
  if (test::python() == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  const Fitted fitted(4000, 1500);
  const test::TempFolder folder;
  const auto write = [&](const char* name, const FeatureTable& table) {
    core::write_file(folder / name, {reinterpret_cast<const char*>(table.values.data()),
                                     table.values.size() * sizeof(float)});
  };
  write("full", fitted.full);
  write("fast", fitted.fast);
  const std::string script = fmt::format(R"(
import numpy, pathlib
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
folder = pathlib.Path({0:?})
full, fast = (numpy.fromfile(folder / name, numpy.float32).reshape(-1, 4) for name in ("full", "fast"))
x = lambda begin, end: numpy.concatenate([full[begin:end], fast[begin:end]])
y = lambda begin, end: numpy.repeat([0, 1], end - begin)
model = HistGradientBoostingClassifier(max_iter=150, max_leaf_nodes=12, random_state=1)
model.fit(x(0, 4000), y(0, 4000))
(folder / "auc").write_text(str(roc_auc_score(y(5500, 7000), model.predict_proba(x(5500, 7000))[:, 1])))
)",
                                         folder.path().string());
  ASSERT_EQ(test::run_python(folder.path(), script), 0);
  const double peer = std::stod(core::read_file(folder / "auc"));
  EXPECT_GT(auc_of(fitted.full_logits, fitted.fast_logits), peer - 0.015) << peer;
}

}  // namespace
