#include "calo/classify/network_classifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numbers>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/philox.h"
#include "core/progress.h"
#include "support/random_showers.h"

namespace {

using calo::NetworkKind;

const NetworkKind kKinds[] = {NetworkKind::kHighLevel, NetworkKind::kVoxels, NetworkKind::kNormalisedVoxels,
                              NetworkKind::kCnn};
const NetworkKind kVoxelKinds[] = {NetworkKind::kVoxels, NetworkKind::kNormalisedVoxels, NetworkKind::kCnn};

// What a network gets of one side.
struct Side {
  calo::Showers showers;
  calo::FeatureTable features;
  calo::ClassifierShowers view() const { return {.features = features, .showers = showers}; }
};

// Features that do not know phi: energies of the layers and rings, over the incident one.
Side with_features(const calo::VoxelMesh& mesh, calo::Showers showers) {
  Side side{.showers = std::move(showers)};
  const int layers = mesh.num_layers(), rings = mesh.max_n_r();
  for (int i = 0; i < layers + rings; ++i) side.features.names.push_back("x" + std::to_string(i));
  for (std::size_t shower = 0; shower < side.showers.size(); ++shower) {
    std::vector<float> row(side.features.columns(), 0.0f);
    const auto cells = side.showers.cells_of(shower);
    for (std::size_t hit = 0; hit < cells.size(); ++hit) {
      const calo::CellPosition position = mesh.position(cells[hit]);
      const float energy =
          side.showers.energies_of(shower)[hit] / side.showers.conditions[shower].incident_energy_mev;
      row[static_cast<std::size_t>(position.layer)] += energy;
      row[static_cast<std::size_t>(layers + position.r)] += energy;
    }
    side.features.values.insert(side.features.values.end(), row.begin(), row.end());
  }
  return side;
}

// Showers of 1 to 4 GeV whose energy lies mostly in one half of phi, the same in all layers; row i has the
// same energy whatever the seed. `change` may move the cells and scale the energies.
using Change = std::function<void(calo::CellPosition&, float&)>;
Side showers(
    const calo::VoxelMesh& mesh, std::size_t count, std::uint64_t seed,
    const Change& change = [](calo::CellPosition&, float&) {}) {
  calo::Showers result(mesh.num_cells(), {"SiW"});
  for (std::size_t i = 0; i < count; ++i) {
    const float energy_mev = 1000.0f * static_cast<float>(1 + i % 4);
    core::Philox random(seed, i);
    std::vector<float> cells(static_cast<std::size_t>(mesh.num_cells()), 0.0f);
    for (int layer = 0; layer < mesh.num_layers(); ++layer)
      for (int phi = 0, phis = mesh.layer(layer).n_phi; phi < phis; ++phi)
        for (int r = 0; r < mesh.layer(layer).n_r(); ++r) {
          if (random.below(2) != 0) continue;
          float energy = energy_mev * (0.5f + random.uniform()) * (2 * phi < phis ? 4.0f : 1.0f) /
                         static_cast<float>(2 * mesh.num_cells());
          calo::CellPosition position{.layer = layer, .phi = phi, .r = r};
          change(position, energy);
          cells[mesh.cell(position.layer, position.phi, position.r)] = energy;
        }
    result.append_dense(
        {.incident_energy_mev = energy_mev, .theta_rad = static_cast<float>(std::numbers::pi / 2)}, cells);
  }
  return with_features(mesh, std::move(result));
}

constexpr calo::NetworkOptions kSmall = {
    .hidden_layers = 1, .hidden_width = 32, .learning_rate = 2e-3, .max_epochs = 12, .trainings = 1};

class Network : public ::testing::Test {
 protected:
  void SetUp() override { core::set_progress_enabled(false); }
  void TearDown() override {
    core::set_interrupt(false);
    core::set_progress_enabled(true);
  }

  calo::Classification classify(NetworkKind kind, const Side& full, const Side& fast,
                                const calo::NetworkOptions& options = kSmall, double threshold_mev = 0) {
    calo::NetworkOptions all = options;
    all.threshold_mev = threshold_mev;
    return calo::NetworkClassifier(kind, all).classify({full.view(), fast.view(), mesh_}, pool_);
  }

  calo::VoxelMesh mesh_ = test::small_mesh();
  core::ThreadPool pool_{2};
};

TEST_F(Network, CannotTellEqualSamples) {
  const Side full = showers(mesh_, 1000, 1), fast = showers(mesh_, 1000, 2);
  calo::NetworkOptions options = kSmall;
  options.trainings = 3;
  options.max_epochs = 6;
  for (const NetworkKind kind : kKinds) {
    const calo::Classification result = classify(kind, full, fast, options);
    EXPECT_NEAR(result.auc.value, 0.5, 3 * result.auc.error) << result.name;
    EXPECT_LT(result.auc.error, 0.05);
    EXPECT_EQ(result.trainings.size(), 3u);
    EXPECT_EQ(result.trainings_end, calo::TrainingsEnd::kAll);
    EXPECT_LT(result.calibrated_jensen_shannon->value, 3 * result.calibrated_jensen_shannon->error);
  }
}

void expect_equal_scores(const calo::Classification& result) {
  ASSERT_EQ(result.full_scores.size(), result.fast_scores.size());
  for (std::size_t i = 0; i < result.full_scores.size(); ++i)
    EXPECT_NEAR(result.full_scores[i], result.fast_scores[i], 1e-5) << result.name;
  EXPECT_NEAR(result.accuracy, 0.5, 1e-12) << result.name;
}

TEST_F(Network, GivesEqualShowersEqualScores) {
  const Side side = showers(mesh_, 100, 1);
  for (const NetworkKind kind : kKinds) expect_equal_scores(classify(kind, side, side));
}

TEST_F(Network, OfEachKindFindsALayerThatIsTooStrong) {
  const Side full = showers(mesh_, 500, 1);
  const Side fast = showers(mesh_, 500, 2, [](calo::CellPosition& at, float& energy) {
    if (at.layer == 2) energy *= 2;
  });
  // Normalised to its layer, a layer's energy is left as one number only, and a logarithm.
  calo::NetworkOptions options = kSmall;
  options.max_epochs = 40;
  for (const NetworkKind kind : kKinds) {
    const calo::Classification result = classify(kind, full, fast, options);
    EXPECT_GT(result.auc.value, 0.8) << result.name;
    EXPECT_GT(result.calibrated_jensen_shannon->value, 0.1) << result.name;
    EXPECT_TRUE(result.tells_apart());
  }
}

TEST_F(Network, OnVoxelsFindsLayersTurnedAgainstEachOther) {
  const Side full = showers(mesh_, 500, 1);
  const Side fast = showers(
      mesh_, 500, 2, [](calo::CellPosition& at, float&) { at.phi = (at.phi + 3 * (at.layer % 2)) % 6; });
  for (const NetworkKind kind : kVoxelKinds) {
    const calo::Classification result = classify(kind, full, fast);
    EXPECT_GT(result.auc.value, 0.95) << result.name;
  }
  const calo::Classification blind = classify(NetworkKind::kHighLevel, full, fast);
  EXPECT_NEAR(blind.auc.value, 0.5, 3 * blind.auc.error);
}

TEST_F(Network, OnImagesDoesNotSeeACommonTurn) {
  const Side full = showers(mesh_, 200, 1);
  const Side fast = showers(mesh_, 200, 1, [](calo::CellPosition& at, float&) { at.phi = (at.phi + 2) % 6; });
  EXPECT_GT(classify(NetworkKind::kVoxels, full, fast).auc.value, 0.95);
  // Every shower has its turned one on the other side of the same part; stride 2 divides the 6 cells in phi.
  expect_equal_scores(classify(NetworkKind::kCnn, full, fast));
}

TEST_F(Network, LeavesOutCellsUnderTheThreshold) {
  const Side full = showers(mesh_, 200, 1);
  Side fast = full;
  // Noise in cells without energy.
  calo::Showers noisy(mesh_.num_cells(), {"SiW"});
  for (std::size_t i = 0; i < 200; ++i) {
    std::vector<float> cells(static_cast<std::size_t>(mesh_.num_cells()));
    full.showers.to_dense(i, cells);
    for (float& cell : cells) cell = cell == 0 ? 0.1f : cell;
    noisy.append_dense(full.showers.conditions[i], cells);
  }
  fast.showers = noisy;
  for (const NetworkKind kind : kVoxelKinds) expect_equal_scores(classify(kind, full, fast, kSmall, 0.2));
  EXPECT_GT(classify(NetworkKind::kCnn, full, fast).auc.value, 0.99);
}

TEST_F(Network, IsTheSameToTheLastBitInEachRunWithAnyNumberOfThreads) {
  const Side full = showers(mesh_, 150, 1);
  const Side fast = showers(mesh_, 150, 2, [](calo::CellPosition&, float& energy) { energy *= 1.01f; });
  calo::NetworkOptions options = kSmall;
  options.trainings = 2;
  options.max_epochs = 5;
  for (const NetworkKind kind : kKinds) {
    const calo::Classification one = classify(kind, full, fast, options);
    for (const int threads : {1, 2, 3}) {
      core::ThreadPool pool(threads);
      const calo::Classification other =
          calo::NetworkClassifier(kind, options).classify({full.view(), fast.view(), mesh_}, pool);
      EXPECT_EQ(one.full_scores, other.full_scores) << one.name << ", threads: " << threads;
      EXPECT_EQ(one.to_json().dump(), other.to_json().dump());
    }
    calo::NetworkOptions other = options;
    other.seed = 1;
    EXPECT_NE(classify(kind, full, fast, other).full_scores, one.full_scores);
  }
}

TEST_F(Network, StopsWhereTheAnswerIsClear) {
  const Side full = showers(mesh_, 300, 1);
  const Side fast = showers(mesh_, 300, 2, [](calo::CellPosition&, float& energy) { energy *= 2; });
  calo::NetworkOptions options = kSmall;
  options.trainings = 5;
  options.max_epochs = 40;
  for (const NetworkKind kind : {NetworkKind::kHighLevel, NetworkKind::kVoxels, NetworkKind::kCnn}) {
    const calo::Classification result = classify(kind, full, fast, options);
    EXPECT_EQ(result.trainings_end, calo::TrainingsEnd::kSeparated) << result.name;
    EXPECT_EQ(result.trainings.size(), 1u);
    EXPECT_LT(result.trainings.front().epochs, 40);
    EXPECT_GT(result.jensen_shannon, 0.3) << result.name;
    EXPECT_GT(result.calibrated_jensen_shannon->value, 0.9);
    // A well-separated sample: the first bin that is sure is right, and so is the last.
    EXPECT_NEAR(result.calibration.front().observed, 0, 3 * result.calibration.front().error);
    EXPECT_NEAR(result.calibration.back().observed, 1, 3 * result.calibration.back().error);
  }
}

TEST_F(Network, AucIsTheShareOfPairsInOrder) {
  const Side full = showers(mesh_, 300, 1);
  const Side fast = showers(mesh_, 300, 2, [](calo::CellPosition&, float& energy) { energy *= 1.05f; });
  const calo::Classification result = classify(NetworkKind::kHighLevel, full, fast);
  double in_order = 0;
  for (const double a : result.full_scores)
    for (const double b : result.fast_scores) in_order += b > a ? 1 : b == a ? 0.5 : 0;
  EXPECT_NEAR(result.auc.value,
              in_order / static_cast<double>(result.full_scores.size() * result.fast_scores.size()), 1e-12);
  EXPECT_EQ(result.full_scores.size(), 60u);
  EXPECT_EQ(result.train_showers, 180);
  EXPECT_EQ(result.validation_showers, 60);
  EXPECT_EQ(result.test_showers, 60);
  std::int64_t binned = 0;
  for (const calo::CalibrationBin& bin : result.calibration) {
    binned += bin.showers;
    EXPECT_GT(bin.error, 0);
  }
  EXPECT_EQ(binned, 120);
}

TEST_F(Network, ErrorIsTheLargerOfSpreadAndHanleyMcNeil) {
  const Side full = showers(mesh_, 100, 1);
  const Side fast = showers(mesh_, 100, 2, [](calo::CellPosition&, float& energy) { energy *= 1.02f; });
  calo::NetworkOptions options = kSmall;
  options.trainings = 3;
  const calo::Classification result = classify(NetworkKind::kHighLevel, full, fast, options);
  ASSERT_EQ(result.trainings.size(), 3u);
  double mean = 0, error = 0, squares = 0;
  for (const auto& training : result.trainings) {
    mean += training.auc.value / 3;
    error += training.auc.error / 3;
  }
  for (const auto& training : result.trainings) squares += std::pow(training.auc.value - mean, 2);
  EXPECT_NEAR(result.auc.value, mean, 1e-12);
  EXPECT_NEAR(result.auc.error, std::max(error, std::sqrt(squares / 2)), 1e-12);
  EXPECT_EQ(result.to_json().at("trainings").size(), 3u);
}

TEST_F(Network, WorksOnALayeredMeshAndOneCellInPhi) {
  mesh_ = calo::VoxelMesh({{.r_edges_mm = {0, 5, 10, 30}, .n_phi = 10},
                           {.r_edges_mm = {}, .n_phi = 0},
                           {.r_edges_mm = {0, 5}, .n_phi = 1}},
                          3);
  const Side full = showers(mesh_, 60, 1);
  const Side fast = showers(mesh_, 60, 2, [](calo::CellPosition&, float& energy) { energy *= 3; });
  for (const NetworkKind kind : {NetworkKind::kVoxels, NetworkKind::kNormalisedVoxels})
    EXPECT_TRUE(std::isfinite(classify(kind, full, fast).auc.value));
  EXPECT_THROW(classify(NetworkKind::kCnn, full, fast), core::InputError);
  // Sizes that the patches do not divide.
  for (const calo::VoxelMesh::Cylinder cylinder :
       {calo::VoxelMesh::Cylinder{.n_r = 1, .n_phi = 1, .n_z = 1},
        calo::VoxelMesh::Cylinder{.n_r = 7, .n_phi = 11, .n_z = 19}}) {
    mesh_ = calo::VoxelMesh(cylinder);
    EXPECT_TRUE(
        std::isfinite(classify(NetworkKind::kCnn, showers(mesh_, 60, 1), showers(mesh_, 60, 2)).auc.value));
  }
}

TEST_F(Network, BearsCorruptCellsAndEmptyShowers) {
  Side full = showers(mesh_, 80, 1);
  const Side fast = showers(mesh_, 80, 2);
  for (std::size_t hit = 0; hit < 40; ++hit)
    full.showers.energies_mev[hit * 3] = hit % 4 == 0   ? std::numeric_limits<float>::quiet_NaN()
                                         : hit % 4 == 1 ? std::numeric_limits<float>::infinity()
                                         : hit % 4 == 2 ? -5.0f
                                                        : 3e38f;
  for (std::size_t hit = full.showers.offsets[70]; hit < full.showers.offsets[71]; ++hit)
    full.showers.energies_mev[hit] = 0;
  full = {.showers = full.showers, .features = fast.features};
  for (const NetworkKind kind : kVoxelKinds)
    EXPECT_TRUE(std::isfinite(classify(kind, full, fast).jensen_shannon))
        << calo::NetworkClassifier(kind, {}).name();
}

TEST_F(Network, RefusesWhatItCannotJudge) {
  const Side few = showers(mesh_, calo::kFewestClassified - 1, 1), enough = showers(mesh_, 60, 1);
  EXPECT_THROW(classify(NetworkKind::kVoxels, few, few), core::InputError);
  EXPECT_THROW(classify(NetworkKind::kVoxels, enough, few), core::InputError);
  calo::NetworkOptions options = kSmall;
  options.hidden_width = 0;
  EXPECT_THROW(classify(NetworkKind::kVoxels, enough, enough, options), core::UsageError);
  options = kSmall;
  options.learning_rate = -1;
  EXPECT_THROW(classify(NetworkKind::kVoxels, enough, enough, options), core::UsageError);
  mesh_ = calo::VoxelMesh();
  EXPECT_THROW(classify(NetworkKind::kVoxels, enough, enough), core::InputError);
}

TEST_F(Network, EndsWhenInterrupted) {
  const Side side = showers(mesh_, 60, 1);
  core::set_interrupt(true);
  for (const NetworkKind kind : kKinds) EXPECT_THROW(classify(kind, side, side), core::Interrupted);
}

}  // namespace
