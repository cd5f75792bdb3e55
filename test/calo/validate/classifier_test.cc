#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "calo/validate/detail/logistic.h"
#include "calo/validate/detail/logistic_classifier.h"
#include "core/philox.h"
#include "support/classify_tables.h"
#include "support/python_peer.h"
#include "support/random_showers.h"
#include "support/temp_folder.h"

namespace {

// Normal features, column 0 shared by both sides of a pair as an energy is; `change` makes the fast rows.
template <class Change>
std::pair<calo::FeatureTable, calo::FeatureTable> tables(std::size_t rows, std::size_t columns,
                                                         std::uint64_t seed, Change change) {
  calo::FeatureTable full, fast;
  for (std::size_t i = 0; i < columns; ++i) full.names.push_back("x" + std::to_string(i));
  fast.names = full.names;
  for (std::size_t row = 0; row < rows; ++row) {
    core::Philox random(seed, row);
    const float energy = 2 * random.uniform() - 1;
    for (calo::FeatureTable* table : {&full, &fast}) {
      table->values.push_back(energy);
      for (std::size_t i = 1; i < columns; ++i)
        table->values.push_back(30 + random.normal());  // means and scales must not matter
    }
    change(std::span<float>(fast.values).last(columns));
  }
  return {full, fast};
}

// AUC of normals that are `shift` standard deviations apart, for the best classifier there is.
double best_auc(double shift) {
  return 0.5 * std::erfc(-shift / 2);
}

calo::Classification classify(const std::pair<calo::FeatureTable, calo::FeatureTable>& sides,
                              int threads = 2) {
  core::ThreadPool pool(threads);
  return test::classify_tables(calo::LogisticClassifier(), sides.first, sides.second, pool);
}

TEST(Split, IsAPartitionThatTheSeedDecides) {
  const calo::Split split = calo::split_rows(1000, 1);
  EXPECT_EQ(split.train.size(), 600u);
  EXPECT_EQ(split.validation.size(), 200u);
  EXPECT_EQ(split.test.size(), 200u);
  std::vector<std::size_t> all;
  for (const auto* part : {&split.train, &split.validation, &split.test})
    all.insert(all.end(), part->begin(), part->end());
  std::sort(all.begin(), all.end());
  for (std::size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], i);
  EXPECT_EQ(calo::split_rows(1000, 1).test, split.test);
  EXPECT_NE(calo::split_rows(1000, 2).test, split.test);
  // With fewer showers to train, the test part is the same.
  const calo::Split few = calo::split_rows(1000, 1, 0.25);
  EXPECT_EQ(few.test, split.test);
  EXPECT_EQ(few.train, std::vector<std::size_t>(split.train.begin(), split.train.begin() + 150));
  EXPECT_EQ(few.validation.size(), 50u);
  // No part is a stretch of the file.
  const double mean = static_cast<double>(std::accumulate(split.test.begin(), split.test.end(), 0ul)) / 200;
  EXPECT_NEAR(mean, 499.5, 5 * 1000 / std::sqrt(12.0 * 200));
}

TEST(Classifier, CannotTellEqualDistributions) {
  const calo::Classification result = classify(tables(3000, 8, 1, [](std::span<float>) {}));
  EXPECT_NEAR(result.auc.value, 0.5, 4 * result.auc.error);
  EXPECT_NEAR(result.accuracy, 0.5, 0.07);
  EXPECT_NEAR(result.jensen_shannon, 0, 0.01);
  EXPECT_EQ(result.test_showers, 600);
}

TEST(Classifier, OfASampleAgainstItselfIsAHalfExactly) {
  auto sides = tables(500, 8, 2, [](std::span<float>) {});
  sides.second = sides.first;
  const calo::Classification result = classify(sides);
  EXPECT_EQ(result.auc.value, 0.5);
  EXPECT_EQ(result.accuracy, 0.5);
  EXPECT_FALSE(result.tells_apart());
}

TEST(Classifier, IsAsGoodAsTheBestForNormals) {
  const calo::Classification result =
      classify(tables(6000, 5, 3, [](std::span<float> row) { row[2] += 1.0f; }));
  EXPECT_NEAR(result.auc.value, best_auc(1.0), 4 * result.auc.error);
  EXPECT_TRUE(result.tells_apart());
  EXPECT_GT(classify(tables(500, 5, 4, [](std::span<float> row) { row[2] += 12.0f; })).auc.value, 0.999);
}

TEST(Classifier, SeesWidthsAndWhatDependsOnTheEnergy) {
  // Fast fluctuates half as much: the means are equal.
  EXPECT_GT(
      classify(tables(3000, 5, 5, [](std::span<float> row) { row[1] = 30 + (row[1] - 30) / 2; })).auc.value,
      0.62);
  // Too high at high energy and too low at low energy.
  EXPECT_GT(classify(tables(3000, 5, 6, [](std::span<float> row) { row[3] += 2 * row[0]; })).auc.value, 0.7);
}

TEST(Classifier, IsTheSameToTheLastBitWithAnyNumberOfThreads) {
  // More rows than a block of the sums.
  const auto sides = tables(9000, 6, 7, [](std::span<float> row) { row[4] *= 1.01f; });
  const calo::Classification one = classify(sides, 1);
  for (const int threads : {2, 3, 7}) {
    const calo::Classification other = classify(sides, threads);
    EXPECT_EQ(other.full_scores, one.full_scores);
    EXPECT_EQ(other.kubeflow_metadata().dump(), one.kubeflow_metadata().dump());
    EXPECT_EQ(other.to_json().dump(), one.to_json().dump());
  }
}

TEST(Classifier, BearsConstantAndRepeatedAndExtremeFeatures) {
  const calo::Classification result = classify(tables(400, 6, 8, [](std::span<float> row) {
    row[1] = 30 + 1.5f * (row[1] - 30);
    row[5] = row[1];
  }));
  EXPECT_TRUE(std::isfinite(result.auc.value));
  auto constant = tables(400, 4, 9, [](std::span<float>) {});
  for (auto* table : {&constant.first, &constant.second})
    for (std::size_t row = 0; row < table->rows(); ++row) {
      table->values[row * 4] = 1.5f;
      table->values[row * 4 + 2] = row == 7 ? 3e38f : 0;
    }
  const calo::Classification same = classify(constant);
  EXPECT_NEAR(same.auc.value, 0.5, 5 * same.auc.error);
  for (const double score : same.full_scores) EXPECT_TRUE(std::isfinite(score));
}

TEST(Judge, KnowsItsLimits) {
  const calo::Classification blind = calo::judge("x", "X", {0, 0, 0}, {0, 0, 0});
  EXPECT_EQ(blind.auc.value, 0.5);
  EXPECT_NEAR(blind.jensen_shannon, 0, 1e-15);
  const calo::Classification perfect = calo::judge("x", "X", {-40, -50}, {40, 800});
  EXPECT_EQ(perfect.accuracy, 1);
  EXPECT_NEAR(perfect.jensen_shannon, 1, 1e-12);
  const calo::Classification wrong = calo::judge("x", "X", {800}, {-800});
  EXPECT_EQ(wrong.accuracy, 0);
  EXPECT_LT(wrong.jensen_shannon, -100);
  EXPECT_TRUE(std::isfinite(wrong.jensen_shannon));
  const calo::Classification mixed = calo::judge("x", "X", {-1, -1, 1, -1}, {1, -1, 1, 1});
  EXPECT_EQ(mixed.confusion, (std::array<std::array<std::int64_t, 2>, 2>{{{3, 1}, {1, 3}}}));
  EXPECT_EQ(mixed.accuracy, 0.75);
}

TEST(Judge, SwappedSidesAndScoresGiveTheSame) {
  std::vector<double> full, fast;
  for (std::uint64_t i = 0; i < 200; ++i) {
    core::Philox random(11, i);
    full.push_back(random.normal());
    fast.push_back(random.normal() + 0.5);
  }
  const calo::Classification result = calo::judge("x", "X", full, fast);
  EXPECT_NEAR(calo::judge("x", "X", fast, full).auc.value, 1 - result.auc.value, 1e-15);
  const auto negated = [](std::vector<double> values) {
    for (double& value : values) value = -value;
    return values;
  };
  const calo::Classification swapped = calo::judge("x", "X", negated(fast), negated(full));
  EXPECT_EQ(swapped.auc.value, result.auc.value);
  EXPECT_NEAR(swapped.jensen_shannon, result.jensen_shannon, 1e-12);
}

// Scores that differ at high energies only.
TEST(AucByEnergy, FindsWhereTheTwoDiffer) {
  core::Philox random(5, 0);
  std::vector<double> full, fast, energies;
  for (int i = 0; i < 1000; ++i) {
    const double energy_mev = 1000 * std::pow(100, random.uniform());
    energies.push_back(energy_mev);
    full.push_back(random.normal());
    fast.push_back(random.normal() + (energy_mev > 20000 ? 3 : 0));
  }
  const auto ranges = calo::auc_by_energy(full, energies, fast, energies);
  ASSERT_EQ(ranges.size(), 5u);
  std::int64_t showers = 0;
  double before = 0;
  for (const calo::EnergyAuc& of : ranges) {
    showers += of.showers;
    EXPECT_EQ(of.showers, 200);
    EXPECT_GT(of.min_energy_mev, before);
    EXPECT_GE(of.max_energy_mev, of.min_energy_mev);
    before = of.max_energy_mev;
    if (of.max_energy_mev < 20000) {
      EXPECT_NEAR(of.auc.value, 0.5, 4 * of.auc.error);
    } else if (of.min_energy_mev > 20000) {
      EXPECT_GT(of.auc.value, 0.95);
    }
  }
  EXPECT_EQ(showers, 1000);
}

TEST(AucByEnergy, KeepsEqualEnergiesTogetherAndLeavesOutFewShowers) {
  std::vector<double> scores, energies;
  for (const auto& [energy_mev, count] :
       {std::pair{1000.0, 100}, std::pair{2000.0, 30}, std::pair{4000.0, 100}})
    for (int i = 0; i < count; ++i) {
      energies.push_back(energy_mev);
      scores.push_back(i);
    }
  const auto ranges = calo::auc_by_energy(scores, energies, scores, energies);
  ASSERT_FALSE(ranges.empty());
  double before = 0;
  for (const calo::EnergyAuc& of : ranges) {
    EXPECT_GE(of.showers, static_cast<std::int64_t>(calo::kFewestByEnergy));
    EXPECT_GT(of.min_energy_mev, before);
    EXPECT_EQ(of.auc.value, 0.5);
    before = of.max_energy_mev;
  }
  EXPECT_TRUE(calo::auc_by_energy({}, {}, {}, {}).empty());
}

TEST(LogisticRegression, FindsTheMinimumThatScipyFinds) {
  if (test::python() == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  const test::TempFolder folder;
  const auto [full, fast] = tables(400, 3, 12, [](std::span<float> row) { row[1] += 0.7f + row[0]; });
  const calo::Split split = calo::split_rows(400, 1);
  core::ThreadPool pool(2);
  const auto model =
      calo::LogisticRegression::fit({full, fast, split.train}, {full, fast, split.validation}, pool);
  std::string script = test::python_list("full", {full.values.begin(), full.values.end()}) +
                       test::python_list("fast", {fast.values.begin(), fast.values.end()}) +
                       test::python_list("train", {split.train.begin(), split.train.end()}) +
                       test::python_list("l2", {model.l2()});
  std::vector<double> logits;
  for (std::size_t row = 0; row < 400; ++row) logits.push_back(model.logit(fast.row(row)));
  script += test::python_list("logits", logits) + R"(
import numpy as np
from scipy.optimize import minimize
full, fast, train = np.reshape(full, (-1, 3)), np.reshape(fast, (-1, 3)), np.array(train, int)
sample = np.concatenate([full[train], fast[train]])
label = np.repeat([0., 1.], len(train))
center, width = sample.mean(0), sample.std(0)
standard = lambda x: np.clip((x - center) / width, -5, 5)
raw = lambda x: np.concatenate([x ** 2, x * x[:, :1]], 1)
products = raw(standard(sample))
def terms(x):
    x = standard(x)
    return np.concatenate([x, (raw(x) - products.mean(0)) / products.std(0), np.ones((len(x), 1))], 1)
X = terms(sample)
def objective(c):
    z = X @ c
    p = 1 / (1 + np.exp(-z))
    return (np.logaddexp(0, z) - label * z).mean() + l2[0] / 2 * (c[:-1] ** 2).sum(), \
        X.T @ (p - label) / len(z) + l2[0] * np.append(c[:-1], 0)
best = minimize(objective, np.zeros(X.shape[1]), jac=True, method='BFGS', options={'gtol': 1e-9, 'maxiter': 5000})
difference = abs(terms(fast) @ best.x - logits).max()
assert difference < 1e-3, (difference, best)
)";
  EXPECT_EQ(test::run_python(folder.path(), script), 0);
}

TEST(Classification, IsWhatKubeflowsSdkWrites) {
  if (test::python() == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  const test::TempFolder folder;
  const calo::Classification result =
      classify(tables(1000, 4, 13, [](std::span<float> row) { row[1] += 0.5f; }));
  EXPECT_LE(result.roc.size(), 100u);
  EXPECT_EQ(test::run_python(folder.path(), "import json\nours = json.loads('''" +
                                                result.kubeflow_metadata().dump() + "''')\n" + R"(
from kfp import dsl
points = ours['confidenceMetrics']
theirs = dsl.ClassificationMetrics()
theirs.log_roc_curve([p['falsePositiveRate'] for p in points], [p['recall'] for p in points],
                     [p['confidenceThreshold'] for p in points])
theirs.log_confusion_matrix(['Geant4', 'fast'], [row['row'] for row in ours['confusionMatrix']['rows']])
assert theirs.metadata == ours, (theirs.metadata, ours)
assert sum(map(sum, (row['row'] for row in ours['confusionMatrix']['rows']))) == 400
)"),
            0);
}

TEST(Features, OfAShowerAreThoseOfTheDefinition) {
  const calo::VoxelMesh mesh = test::small_mesh();
  calo::Showers showers(mesh.num_cells(), {"SiW"});
  std::vector<float> cells(static_cast<std::size_t>(mesh.num_cells()), 0.0f);
  cells[mesh.cell(1, 2, 0)] = 3;
  cells[mesh.cell(3, 0, 2)] = 1;
  cells[mesh.cell(3, 1, 2)] = 0.25;  // below the threshold
  cells[mesh.cell(0, 1, 2)] = std::numeric_limits<float>::infinity();
  showers.append_dense({.incident_energy_mev = 8000}, cells);
  showers.append_dense({.incident_energy_mev = 10}, std::vector<float>(cells.size(), 0.0f));
  calo::FeatureExtractor extractor(mesh, 0.5);
  calo::FeatureTable table = calo::high_level_table(mesh);
  table.resize(2);
  for (std::size_t i = 0; i < 2; ++i)
    table.set_row(i, calo::high_level_row(extractor.extract(showers, i), mesh.num_cells()));
  ASSERT_EQ(table.rows(), 2u);
  const auto value = [&](std::size_t row, const std::string& name) {
    const auto at = std::find(table.names.begin(), table.names.end(), name) - table.names.begin();
    return table.row(row)[at];
  };
  EXPECT_EQ(table.names.front(), "log10_incident_energy");
  EXPECT_FLOAT_EQ(value(0, "log10_incident_energy"), std::log10(8.0f));
  EXPECT_FLOAT_EQ(value(0, "response"), 4.0f / 8000);
  EXPECT_FLOAT_EQ(value(0, "longitudinal_first_moment"), 1.5f * 3.4f);
  EXPECT_FLOAT_EQ(value(0, "lateral_second_moment"), 0.75f * 2.325f * 2.325f);
  EXPECT_FLOAT_EQ(value(0, "sparsity"), 1 - 2.0f / static_cast<float>(mesh.num_cells()));
  EXPECT_FLOAT_EQ(value(0, "log10_share_of_layer_1"), std::log10(0.75f));
  EXPECT_FLOAT_EQ(value(0, "log10_share_of_layer_4"), -5);
  EXPECT_EQ(value(1, "response"), 0);
  EXPECT_EQ(value(1, "sparsity"), 1);
  for (const float number : table.values) EXPECT_TRUE(std::isfinite(number));
}

}  // namespace
