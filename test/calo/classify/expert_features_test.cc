#include "calo/classify/detail/expert_features.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "calo/classify/classifiers.h"
#include "calo/validate/features.h"
#include "core/philox.h"
#include "support/random_showers.h"
#include "support/toy_showers.h"

namespace {

using calo::FeatureTable;
using calo::Showers;
using calo::VoxelMesh;

FeatureTable no_features(std::size_t rows) {
  FeatureTable table{.names = {"known"}, .values = {}};
  table.resize(rows);
  for (std::size_t i = 0; i < rows; ++i) table.set_row(i, {static_cast<double>(i)});
  return table;
}

std::map<std::string, float> named(const FeatureTable& table, std::size_t row) {
  std::map<std::string, float> values;
  for (std::size_t i = 0; i < table.columns(); ++i) values[table.names[i]] = table.row(row)[i];
  return values;
}

// The features as sums over all cells of a dense shower.
TEST(ExpertFeatures, AreSumsOverTheCells) {
  for (const VoxelMesh& mesh : {test::uneven_mesh(), test::layered_mesh()}) {
    const Showers showers = test::toy_showers(mesh, 40, 5);
    constexpr double kThreshold = 15;
    const FeatureTable known = no_features(showers.size());
    core::ThreadPool pool(2);
    const FeatureTable table = calo::ExpertFeatures(mesh, showers, kThreshold).table({known, showers}, pool);
    std::vector<float> sorted;
    for (const float energy : showers.energies_mev)
      if (energy >= kThreshold) sorted.push_back(energy);
    ASSERT_LT(sorted.size(), showers.energies_mev.size());
    std::sort(sorted.begin(), sorted.end());
    const float unit = sorted[sorted.size() / 100];
    std::vector<float> cells(static_cast<std::size_t>(mesh.num_cells()));
    for (std::size_t i = 0; i < showers.size(); ++i) {
      showers.to_dense(i, cells);
      const auto values = named(table, i);
      EXPECT_EQ(values.at("known"), static_cast<float>(i));
      const auto energy = [&](int layer, int phi, int r) {
        const float value = cells[mesh.cell(layer, phi, r)];
        return value >= kThreshold ? value : 0.0f;
      };
      const auto code = [&](int layer, int phi, int r) { return std::log1p(energy(layer, phi, r) / unit); };
      float hits = 0;
      for (int layer = 0; layer < mesh.num_layers(); ++layer) {
        const int n_r = mesh.layer(layer).n_r(), n_phi = mesh.layer(layer).n_phi;
        float product = 0, pairs_r = 0, half = 0, alone = 0, second = 0, hottest = 0, sum = 0;
        const bool alike =
            layer + 2 < mesh.num_layers() && n_r > 0 && mesh.layer(layer) == mesh.layer(layer + 2);
        for (int r = 0; r < n_r; ++r)
          for (int phi = 0; phi < n_phi; ++phi) {
            const float own = energy(layer, phi, r);
            if (!(own > 0)) continue;
            ++hits;
            sum += own;
            hottest = std::max(hottest, own);
            product += code(layer, phi, r) * code(layer, (phi + 1) % n_phi, r);
            half += energy(layer, (phi + n_phi / 2) % n_phi, r) > 0 ? 1.0f : 0.0f;
            if (r + 1 < n_r && energy(layer, phi, r + 1) > 0) ++pairs_r;
            if (!(energy(layer, (phi + 1) % n_phi, r) > 0) &&
                !(energy(layer, (phi + n_phi - 1) % n_phi, r) > 0))
              ++alone;
            if (alike) second += code(layer, phi, r) * code(layer + 2, (phi + 1) % n_phi, r);
          }
        const auto of_layer = [&](const char* name) {
          return values.at(fmt::format("{}_layer_{}", name, layer));
        };
        const bool divided = n_phi > 1;
        EXPECT_NEAR(of_layer("product_phi_1"), divided ? product : 0, 1e-3f * product);
        EXPECT_EQ(of_layer("pairs_phi_half"), divided ? half : 0);
        EXPECT_EQ(of_layer("alone_in_phi"), divided ? alone : 0);
        EXPECT_EQ(of_layer("pairs_r"), pairs_r);
        EXPECT_NEAR(of_layer("product_second_1"), second, 1e-3f * second);
        EXPECT_NEAR(of_layer("hottest_cell"), sum > 0 ? hottest / sum : 0, 1e-5);
      }
      float spectrum = 0, of_rings = 0;
      for (const auto& [name, value] : values) {
        if (name.starts_with("spectrum") && name.find("ring") == std::string::npos) spectrum += value;
        if (name.starts_with("hits_ring")) of_rings += value;
      }
      EXPECT_EQ(spectrum, hits);
      if (mesh.is_cylinder()) {
        EXPECT_EQ(of_rings, hits);
      }
    }
  }
}

// Expert features show what high-level features do not: energies that are exchanged between the cells of a
// ring and layer.
TEST(ExpertFeatures, ShowMoreThanHighLevelFeatures) {
  const VoxelMesh mesh = test::small_mesh();
  const std::size_t count = 1500;
  const Showers full = test::toy_showers(mesh, count, 5);
  Showers fast(mesh.num_cells(), {"SiW"});
  const Showers other = test::toy_showers(mesh, count, 6);
  std::vector<float> cells(static_cast<std::size_t>(mesh.num_cells()));
  for (std::size_t i = 0; i < count; ++i) {
    other.to_dense(i, cells);
    core::Philox random(9, i);
    for (float& energy : cells) energy *= std::exp(0.25f * random.normal());
    fast.append_dense(other.conditions[i], cells);
  }
  const auto features = [&](const Showers& showers) {
    calo::FeatureExtractor extractor(mesh, 0);
    FeatureTable table = calo::calochallenge_table(mesh);
    table.resize(showers.size());
    for (std::size_t i = 0; i < showers.size(); ++i)
      table.set_row(i, calo::calochallenge_row(extractor.extract(showers, i), mesh));
    return table;
  };
  const FeatureTable of_full = features(full), of_fast = features(fast), of_other = features(other);
  core::ThreadPool pool(2);
  const auto auc = [&](const char* name, const FeatureTable& table, const Showers& showers) {
    const auto classifier = calo::make_classifier(name, {.trainings = 1});
    return classifier->classify({.full = {of_full, full}, .fast = {table, showers}, .mesh = mesh}, pool)
        .auc.value;
  };
  EXPECT_NEAR(auc("expert-trees", of_other, other), 0.5, 0.06);
  EXPECT_GT(auc("expert-trees", of_fast, fast), auc("trees", of_fast, fast) + 0.05);
}

}  // namespace
