#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "calo/models/cascade/detail/cascade_shape.h"
#include "calo/models/cascade/detail/teacher.h"
#include "core/error.h"
#include "core/philox.h"
#include "support/random_showers.h"
#include "support/toy_showers.h"

namespace {

using calo::Showers;
using calo::VoxelMesh;
using calo::cascade::CascadeMesh;
using calo::cascade::MeshFrame;
using calo::cascade::PatternFrame;
using calo::cascade::PatternNode;
using calo::cascade::TeacherSplit;

TEST(PhiTree, HalvesEveryRingDownToItsCells) {
  for (const int n_phi : {1, 2, 3, 7, 16, 50}) {
    const calo::cascade::PhiTree tree(n_phi);
    EXPECT_EQ(tree.depth(), n_phi == 1 ? 0 : std::ceil(std::log2(n_phi))) << n_phi;
    EXPECT_EQ(tree.nodes(tree.depth()), n_phi);
    for (int level = 0; level <= tree.depth(); ++level) {
      int begin = 0;
      for (const auto& node : tree.level(level)) {
        EXPECT_EQ(node.begin, begin);
        begin = node.end;
        if (level == tree.depth()) continue;
        const auto& below = tree.level(level + 1);
        const auto& child = below[static_cast<std::size_t>(node.first_child)];
        EXPECT_EQ(child.begin, node.begin);
        if (!node.is_split) {
          EXPECT_EQ(child.end, node.end);
        } else {
          const auto& other = below[static_cast<std::size_t>(node.first_child) + 1];
          EXPECT_EQ(child.end, other.begin);
          EXPECT_EQ(other.end, node.end);
          EXPECT_LE(std::abs((child.end - child.begin) - (other.end - other.begin)), 1);
        }
      }
      EXPECT_EQ(begin, n_phi);
    }
  }
}

TEST(LayerTree, CutsWhereHalfTheEnergyIsAndRefusesOthers) {
  const std::vector<double> mean = {1, 5, 9, 6, 3, 2, 1, 0, 0};
  const std::vector<float> cuts = calo::cascade::Frame::cuts_of(mean);
  ASSERT_EQ(cuts.size(), mean.size() - 1);
  EXPECT_EQ(cuts[0], 3);
  const auto tree = calo::cascade::Frame::tree_of(cuts, 9);
  std::vector<int> leaves(9);
  for (const auto& interval : tree) {
    EXPECT_LT(interval.begin, interval.middle);
    EXPECT_LT(interval.middle, interval.end);
    if (interval.middle - interval.begin == 1) ++leaves[static_cast<std::size_t>(interval.begin)];
    if (interval.end - interval.middle == 1) ++leaves[static_cast<std::size_t>(interval.middle)];
  }
  EXPECT_THAT(leaves, testing::Each(1));
  EXPECT_THROW(calo::cascade::Frame::tree_of(std::vector<float>{9}, 9), core::InputError);
  EXPECT_THROW(calo::cascade::Frame::tree_of(std::vector<float>{2.5f}, 9), core::InputError);
}

// The splits of a shower divide its energy without loss and give its cells.
TEST(Teacher, SplitsOfAShowerGiveTheShower) {
  for (const VoxelMesh& mesh : {test::uneven_mesh(), test::small_mesh(), test::layered_mesh()}) {
    const Showers showers = test::toy_showers(mesh, 10, 4);
    const CascadeMesh c = calo::cascade_mesh(mesh);
    std::vector<std::uint32_t> all(showers.size());
    std::iota(all.begin(), all.end(), 0u);
    const auto fitted = calo::cascade::fit(showers, all, c);
    const calo::cascade::Frame frame{.threshold_mev = fitted.threshold_mev,
                                     .mean_response = fitted.mean_response,
                                     .response_width = fitted.response_width,
                                     .intervals = calo::cascade::Frame::tree_of(fitted.layer_cuts, c.n_z())};
    const auto shape = calo::cascade_shape({.architecture = "cascade"}, test::toy_transform(mesh));
    const MeshFrame frame_of_mesh(shape.mesh, frame.threshold_mev);
    calo::cascade::Teacher teacher(frame, frame_of_mesh);
    const auto nets = calo::cascade::cascade_nets(shape);
    for (const std::uint32_t shower : all) {
      calo::cascade::LayeredShower layered(c);
      layered.read(showers, shower, false, false);
      EXPECT_NEAR(layered.total_mev(), showers.total_energy_mev(shower), 1e-3);
      std::size_t cells = 0;
      double found = 0;
      std::vector<std::vector<float>> rows;
      calo::cascade::ConditionFeatures conditions;
      conditions.set(showers.conditions[shower].incident_energy_mev, showers.conditions[shower].theta_rad,
                     test::toy_transform(mesh).place_of("SiW"), 2);
      const int last = 2 + frame_of_mesh.depth();
      teacher.walk(layered, conditions, showers.conditions[shower].incident_energy_mev,
                   [&](const TeacherSplit& split) {
                     EXPECT_GT(split.a_mev + split.b_mev, 0);
                     EXPECT_LT(static_cast<std::int64_t>(split.position), nets.at(split.net).positions);
                     EXPECT_LT(static_cast<std::int64_t>(split.layer),
                               std::max<std::int64_t>(nets[split.net].layers, 1));
                     EXPECT_LT(split.spectrum, std::max<std::int64_t>(nets[split.net].spectra, 1));
                     for (const float part : {split.a_mev, split.b_mev})
                       if (static_cast<int>(split.net) == last && part > 0) {
                         ++cells;
                         found += part;
                       }
                     // One more number than the network needs, to detect a walk that writes beyond its row.
                     rows.emplace_back(static_cast<std::size_t>(nets[split.net].inputs) + 1, -77.0f);
                     return rows.back().data();
                   });
      for (const auto& row : rows) {
        EXPECT_EQ(row.back(), -77.0f);
        EXPECT_NE(row[row.size() - 2], -77.0f);  // detects a walk that omits a number
        for (const float x : row) EXPECT_TRUE(std::isfinite(x));
      }
      if (c.layer(0).n_phi != 4) continue;  // some cells are made one level earlier
      EXPECT_LE(cells, showers.cells_of(shower).size());
      EXPECT_LE(found, showers.total_energy_mev(shower) * 1.0001);
    }
  }
}

// Layers, rings and every level of phi have the same energy, within rounding, if parts are drawn at random.
TEST(Walks, EveryLevelHasTheEnergyOfTheShower) {
  for (const VoxelMesh& mesh : {test::uneven_mesh(), test::small_mesh(), test::layered_mesh()}) {
    const CascadeMesh c = calo::cascade_mesh(mesh);
    const std::vector<double> mean(static_cast<std::size_t>(c.n_z()), 1.0);
    const calo::cascade::Frame frame{
        .threshold_mev = 0.02f,
        .intervals = calo::cascade::Frame::tree_of(calo::cascade::Frame::cuts_of(mean), c.n_z())};
    const auto shape = calo::cascade_shape({.architecture = "cascade"}, test::toy_transform(mesh));
    const MeshFrame frame_of_mesh(shape.mesh, frame.threshold_mev);
    const calo::cascade::ConditionFeatures conditions{.e = 0.5f, .others = {0, 1}};
    core::Philox random(1, 0);
    const auto draw = [&](float energy) {
      std::vector<float> out(calo::cascade::SplitOutputs::kMost);
      for (float& value : out) value = random.normal();
      return *calo::cascade::SplitDrawer().draw(
          out.data(), energy, frame.threshold_mev, nullptr, 0,
          {.choice = random.uniform() + 1e-9, .place = random.uniform() + 1e-9});
    };
    const auto sum = [](const auto& energies) {
      return std::accumulate(energies.begin(), energies.end(), 0.0);
    };
    calo::cascade::LayerWalk layers(frame, c.n_z());
    calo::cascade::MeshWalk whole(frame_of_mesh);
    for (int shower = 0; shower < 20; ++shower) {
      const float total = 0.5f * std::exp(7 * random.uniform());
      layers.start(conditions, 1000, total);
      for (std::size_t node = 0; node < frame.intervals.size(); ++node) {
        if (!(layers.energy(node) > 0)) continue;
        const auto parts = draw(layers.energy(node));
        layers.set(node, parts.a_mev, parts.b_mev);
      }
      EXPECT_NEAR(sum(layers.layer_energies()) / total, 1, 1e-5);
      whole.start(conditions, layers.layer_energies());
      for (int layer = 0; layer < c.n_z(); ++layer) {
        const PatternFrame& pattern = frame_of_mesh.of_layer(layer);
        calo::cascade::PatternWalk& walk = whole.of_layer(layer);
        const float energy = whole.layer_energy(layer);
        if (!(energy > 0)) {
          whole.skip_layer(layer);
          continue;
        }
        walk.begin_layer(layer);
        while (walk.ring() + 1 < pattern.n_r && walk.ring_energy() > 0) {
          const auto parts = draw(walk.ring_energy());
          walk.set_ring(parts.a_mev, parts.b_mev);
        }
        walk.end_rings();
        for (int level = 0; level <= pattern.tree.depth(); ++level) {
          double of_level = 0;
          for (int ring = 0; ring < pattern.n_r; ++ring)
            for (int k = 0; k < pattern.levels[static_cast<std::size_t>(level)].nodes; ++k)
              of_level += walk.energy(level, {ring, k});
          EXPECT_NEAR(of_level / energy, 1, 1e-5) << "level " << level;
          if (level == pattern.tree.depth()) break;
          walk.begin_level(level);
          std::vector<PatternNode> nodes;
          for (const int colour : {0, 1}) {
            walk.nodes(level, colour, nodes);
            for (const PatternNode& at : nodes) {
              const auto parts = draw(walk.energy(level, at));
              walk.set_node(level, at, parts.a_mev, parts.b_mev);
            }
          }
        }
        whole.end_layer(layer);
        EXPECT_NEAR(sum(walk.cells()) / energy, 1, 1e-5);
      }
    }
  }
}

// Cells of a layer see the energy of another layer where it lies: none is lost within the radius of both, and
// equal parts stay where they are.
TEST(MeshFrame, SpreadsEnergyByArea) {
  const CascadeMesh mesh = calo::cascade_mesh(
      calo::VoxelMesh({{{0, 2, 4, 6}, 4}, {{0, 1, 2, 3, 4, 5, 6}, 8}, {{0, 6}, 1}, {{0, 2, 3}, 2}}));
  const MeshFrame frame(mesh, 1);
  std::vector<float> coarse(12), fine, back, whole, inner;
  for (std::size_t i = 0; i < coarse.size(); ++i) coarse[i] = static_cast<float>(i + 1);
  const auto sum = [](const auto& values) { return std::accumulate(values.begin(), values.end(), 0.0); };
  frame.spread(0, 1, coarse, fine);
  EXPECT_NEAR(sum(fine), sum(coarse), 1e-4);
  EXPECT_NEAR(fine[0], 1.0 / 4 / 2, 1e-6);  // the inner of two rings has a quarter of the area
  EXPECT_NEAR(fine[8], 3.0 / 4 / 2, 1e-6);
  frame.spread(1, 0, fine, back);
  for (std::size_t i = 0; i < coarse.size(); ++i) EXPECT_NEAR(back[i], coarse[i], 1e-5);
  frame.spread(0, 2, coarse, whole);
  EXPECT_EQ(whole.size(), 1u);
  EXPECT_NEAR(whole[0], sum(coarse), 1e-4);
  // Beyond the radius of a layer it sees nothing: of the second ring, from 2 to 4 mm, 5/12 of the area.
  frame.spread(0, 3, coarse, inner);
  EXPECT_NEAR(sum(inner), 1 + 2 + 3 + 4 + (5 + 6 + 7 + 8) * 5.0 / 12, 1e-4);
  EXPECT_NEAR(inner[0], 1 + 2, 1e-5);
}

}  // namespace
