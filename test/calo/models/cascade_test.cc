#include "calo/models/cascade/cascade.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numbers>
#include <numeric>

#include "calo/convert/convert.h"
#include "calo/generate/shower_source.h"
#include "calo/model/cascade_nets.h"
#include "calo/models/architectures.h"
#include "calo/models/cascade/teacher.h"
#include "calo/train/trainer.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/philox.h"
#include "support/random_showers.h"
#include "support/temp_folder.h"

namespace {

using calo::ModelDescription;
using calo::ModelFolder;
using calo::Showers;
using calo::VoxelMesh;
using calo::cascade::PatternFrame;
using calo::cascade::PatternNode;
using calo::cascade::TeacherSplit;

// Uneven halves in phi (7 = 3 + 4, 4 = 2 + 2, 3 = 1 + 2) and an odd number of rings.
VoxelMesh uneven_mesh() {
  return VoxelMesh(VoxelMesh::Cylinder{.n_r = 5, .n_phi = 7, .n_z = 6});
}

// Showers whose cells fall off with radius and depth, and whose layers hang together: something to learn.
Showers toy_showers(const VoxelMesh& mesh, std::size_t count, std::uint64_t seed) {
  const VoxelMesh::Cylinder& c = mesh.cylinder();
  Showers showers(mesh.num_cells(), {"SiW"});
  for (std::size_t i = 0; i < count; ++i) {
    core::Philox random(seed, i);
    const float energy = 1000.0f * std::exp(2 * random.uniform());
    const float depth = 1.5f + random.uniform() * static_cast<float>(c.n_z - 3);
    std::vector<float> cells(static_cast<std::size_t>(mesh.num_cells()));
    for (int hit = 0; hit < 60; ++hit) {
      const float z = depth + 0.8f * random.normal(), r = std::abs(0.9f * random.normal());
      const int layer = static_cast<int>(z), ring = static_cast<int>(r);
      const auto phi = static_cast<int>(random.below(static_cast<std::uint32_t>(c.n_phi)));
      if (layer < 0 || layer >= c.n_z || ring >= c.n_r) continue;
      cells[mesh.cell(layer, phi, ring)] += energy / 60 * (0.5f + random.uniform());
    }
    showers.append_dense({.incident_energy_mev = energy, .theta_rad = static_cast<float>(std::numbers::pi / 2)},
                         cells);
  }
  return showers;
}

ModelDescription small_description() {
  return {.architecture = "cascade",
          .cascade_width = 24,
          .lr = 4e-3,
          .batch_size = 16,
          .epochs = 6,
          .validation_split = 0.25};
}

calo::Transform transform_of(const VoxelMesh& mesh) {
  return {.mesh = mesh,
          .max_energy_mev = 8000,
          .min_trained_energy_mev = 1000,
          .max_trained_energy_mev = 8000,
          .min_trained_theta_deg = 90,
          .max_trained_theta_deg = 90,
          .trained_geometries = {"SiW"}};
}

calo::TrainResult train(const ModelDescription& description, const calo::TrainOptions& options = {},
                        int threads = 1, const VoxelMesh& mesh = uneven_mesh()) {
  core::ThreadPool pool(threads);
  return calo::train(toy_showers(mesh, 120, 3), transform_of(mesh), description, options, pool);
}

ModelFolder trained_model(const VoxelMesh& mesh = uneven_mesh(), std::int64_t epochs = 6) {
  ModelDescription description = small_description();
  description.epochs = epochs;
  return {.description = description,
          .transform = transform_of(mesh),
          .weights = train(description, {}, 1, mesh).weights};
}

std::vector<calo::Conditions> conditions_of(std::size_t count) {
  std::vector<calo::Conditions> conditions;
  for (std::size_t i = 0; i < count; ++i)
    conditions.push_back({.incident_energy_mev = 1000.0f * static_cast<float>(1 + i % 7),
                          .theta_rad = static_cast<float>(std::numbers::pi / 2)});
  return conditions;
}

TEST(PhiTree, HalvesEveryRingDownToItsCells) {
  for (const int n_phi : {1, 2, 3, 7, 16, 50}) {
    const calo::PhiTree tree(n_phi);
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

// The splits of a shower share its energy out without loss, and its cells come out of them.
TEST(Teacher, SplitsOfAShowerGiveTheShower) {
  for (const VoxelMesh& mesh : {uneven_mesh(), test::small_mesh()}) {
    const Showers showers = toy_showers(mesh, 10, 4);
    const VoxelMesh::Cylinder& c = mesh.cylinder();
    std::vector<std::uint32_t> all(showers.size());
    std::iota(all.begin(), all.end(), 0u);
    const auto fitted = calo::cascade::fit(showers, all, c);
    const calo::cascade::Frame frame{.threshold_mev = fitted.threshold_mev,
                                     .mean_response = fitted.mean_response,
                                     .response_width = fitted.response_width,
                                     .intervals = calo::cascade::Frame::tree_of(fitted.layer_cuts, c.n_z)};
    const PatternFrame pattern(c, frame.threshold_mev);
    calo::cascade::Teacher teacher(frame, pattern);
    const auto nets = calo::cascade_nets(small_description(), transform_of(mesh));
    for (const std::uint32_t shower : all) {
      calo::cascade::LayeredShower layered(c);
      layered.read(showers, shower, false, 0);
      EXPECT_NEAR(layered.total_mev(), showers.total_energy_mev(shower), 1e-3);
      std::size_t cells = 0;
      double found = 0;
      std::vector<std::vector<float>> rows;
      const auto conditions =
          calo::cascade::ConditionFeatures::of(transform_of(mesh), showers.conditions[shower], "SiW");
      const int last = 2 + pattern.tree.depth();
      teacher.walk(layered, conditions, showers.conditions[shower].incident_energy_mev,
                   [&](const TeacherSplit& split) {
                     EXPECT_GT(split.a_mev + split.b_mev, 0);
                     EXPECT_LT(static_cast<std::int64_t>(split.position), nets.at(split.net).positions);
                     for (const float part : {split.a_mev, split.b_mev})
                       if (static_cast<int>(split.net) == last && part > 0) {
                         ++cells;
                         found += part;
                       }
                     // One number more than the network has: a walk that writes beyond its row is seen.
                     rows.emplace_back(static_cast<std::size_t>(nets[split.net].inputs) + 1, -77.0f);
                     return rows.back().data();
                   });
      for (const auto& row : rows) {
        EXPECT_EQ(row.back(), -77.0f);
        EXPECT_NE(row[row.size() - 2], -77.0f);  // and one that leaves something out
        for (const float x : row) EXPECT_TRUE(std::isfinite(x));
      }
      if (c.n_phi == 7) continue;  // some cells are made one level earlier
      EXPECT_LE(cells, showers.cells_of(shower).size());
      EXPECT_LE(found, showers.total_energy_mev(shower) * 1.0001);
    }
  }
}

// Layers, rings and every level of phi have the same energy, to rounding, with parts drawn at random.
TEST(Walks, EveryLevelHasTheEnergyOfTheShower) {
  for (const VoxelMesh& mesh : {uneven_mesh(), test::small_mesh()}) {
    const VoxelMesh::Cylinder& c = mesh.cylinder();
    const std::vector<double> mean(static_cast<std::size_t>(c.n_z), 1.0);
    const calo::cascade::Frame frame{
        .threshold_mev = 0.02f,
        .intervals = calo::cascade::Frame::tree_of(calo::cascade::Frame::cuts_of(mean), c.n_z)};
    const PatternFrame pattern(c, frame.threshold_mev);
    const calo::cascade::ConditionFeatures conditions{.e = 0.5f, .others = {0, 1}};
    core::Philox random(1, 0);
    const auto draw = [&](float energy) {
      std::vector<float> out(calo::cascade::SplitOutputs::kMost);
      for (float& value : out) value = random.normal();
      return calo::cascade::draw_split(out.data(), energy, frame.threshold_mev, nullptr, 0,
                                       {.choice = random.uniform() + 1e-9, .place = random.uniform() + 1e-9});
    };
    const auto sum = [](const auto& energies) { return std::accumulate(energies.begin(), energies.end(), 0.0); };
    calo::cascade::LayerWalk layers(frame, c.n_z);
    calo::cascade::PatternWalk walk(pattern);
    for (int shower = 0; shower < 20; ++shower) {
      const float total = 0.5f * std::exp(7 * random.uniform());
      layers.start(conditions, 1000, total);
      for (std::size_t node = 0; node < frame.intervals.size(); ++node) {
        if (!(layers.energy(node) > 0)) continue;
        const auto parts = draw(layers.energy(node));
        layers.set(node, parts.a_mev, parts.b_mev);
      }
      EXPECT_NEAR(sum(layers.layer_energies()) / total, 1, 1e-5);
      walk.start(conditions, layers.layer_energies());
      for (int layer = 0; layer < c.n_z; ++layer) {
        const float energy = walk.layer_energy(layer);
        if (!(energy > 0)) {
          walk.skip_layer(layer);
          continue;
        }
        walk.begin_layer(layer);
        while (walk.ring() + 1 < c.n_r && walk.ring_energy() > 0) {
          const auto parts = draw(walk.ring_energy());
          walk.set_ring(parts.a_mev, parts.b_mev);
        }
        walk.end_rings();
        for (int level = 0; level <= pattern.tree.depth(); ++level) {
          double of_level = 0;
          for (int ring = 0; ring < c.n_r; ++ring)
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
        walk.end_layer();
        EXPECT_NEAR(sum(walk.cells()) / energy, 1, 1e-5);
      }
    }
  }
}

// Analytic gradients of the whole likelihood, by a step of plain gradient descent: w' = w − lr · gradient.
TEST(Cascade, GradientsEqualFiniteDifferences) {
  const VoxelMesh mesh = uneven_mesh();
  const Showers showers = toy_showers(mesh, 24, 5);
  std::vector<std::uint32_t> all(showers.size());
  std::iota(all.begin(), all.end(), 0u);
  core::ThreadPool pool(2);
  ModelDescription description = small_description();
  description.cascade_width = 8;
  description.optimizer = "adam";
  description.mirror_phi = false;
  const calo::Transform transform = transform_of(mesh);
  const auto model = calo::new_model(
      {.description = description, .transform = transform, .seed = 3, .showers = &showers, .training = all}, pool);
  calo::Optimizer adam(description);
  for (int step = 1; step <= 30; ++step) {  // away from the first outputs, which do not depend on the features
    adam.begin_step(step, 5e-3);
    model->train_step(showers, all, 0, adam);
  }
  description.optimizer = "sgd";
  calo::Optimizer descent(description);
  std::vector<calo::Parameter> before = model->parameters();
  constexpr double kRate = 1e-3;
  descent.begin_step(1, kRate);
  model->train_step(showers, all, 0, descent);
  const std::vector<calo::Parameter> after = model->parameters();
  const auto loss_with = [&](std::size_t parameter, const std::vector<float>& values) {
    model->set_parameters([&](std::vector<calo::Parameter>& parameters) {
      for (std::size_t i = 0; i < parameters.size(); ++i)
        std::copy(before[i].values.begin(), before[i].values.end(), parameters[i].values.begin());
      std::copy(values.begin(), values.end(), parameters[parameter].values.begin());
    });
    return model->evaluate(showers, all).total();
  };
  core::Philox random(1, 2);
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i].first.empty()) {
      EXPECT_EQ(before[i].values, after[i].values) << before[i].name;
      continue;
    }
    // Along a random direction through the tensor.
    std::vector<float> direction(before[i].values.size());
    double slope = 0;
    for (std::size_t k = 0; k < direction.size(); ++k) {
      direction[k] = random.normal() / std::sqrt(static_cast<float>(direction.size()));
      slope += (before[i].values[k] - after[i].values[k]) / kRate * direction[k];
    }
    const auto at = [&](float offset) {
      std::vector<float> values = before[i].values;
      for (std::size_t k = 0; k < values.size(); ++k) values[k] += offset * direction[k];
      return loss_with(i, values);
    };
    constexpr float kStep = 4e-3f;
    const double expected = (at(kStep) - at(-kStep)) / (2 * kStep);
    EXPECT_NEAR(slope, expected, 0.02 + 0.03 * std::abs(expected)) << before[i].name;
  }
}

TEST(Cascade, LearnsAndRepeatsItselfToTheBit) {
  const calo::TrainResult a = train(small_description());
  ASSERT_EQ(a.history.size(), 6u);
  EXPECT_LT(a.history.back().validation_loss, a.history.front().validation_loss - 1);
  for (const char* part : {"total", "layers", "rings", "phi"}) EXPECT_TRUE(a.history[0].parts.contains(part));
  for (const int threads : {1, 3}) {
    const calo::TrainResult one = train(small_description(), {}, threads);
    const calo::TrainResult two = train(small_description(), {}, threads);
    for (const auto& [name, tensor] : one.weights) EXPECT_EQ(tensor.values, two.weights.at(name).values) << name;
  }
}

TEST(Cascade, ResumedIsTheSameAsUnbrokenToTheBit) {
  const test::TempFolder folder;
  const ModelDescription description = small_description();
  const calo::TrainResult unbroken = train(description);
  calo::TrainOptions options{.checkpoint_folder = folder.path(), .data_hash = "x"};
  core::set_interrupt(true);  // as if the signal came in the first epoch
  EXPECT_THROW(train(description, options), core::Interrupted);
  options.resume = true;
  EXPECT_THROW(train(description, options), core::Interrupted);  // and again in the second
  core::set_interrupt(false);
  const calo::TrainResult resumed = train(description, options);
  for (const auto& [name, tensor] : unbroken.weights)
    EXPECT_EQ(tensor.values, resumed.weights.at(name).values) << name;
  EXPECT_EQ(resumed.history.back().loss, unbroken.history.back().loss);
}

TEST(Cascade, ShowersDoNotDependOnBatchOrThreads) {
  const auto source = calo::ShowerSource::of_folder(trained_model());
  const std::vector<calo::Conditions> conditions = conditions_of(70);
  core::ThreadPool one(1), three(3);
  Showers whole;
  source->make(conditions, {"SiW"}, 5, 11, 0, one, whole);
  ASSERT_EQ(whole.size(), conditions.size());
  Showers again;
  source->make(conditions, {"SiW"}, 5, 11, 0, three, again);
  EXPECT_EQ(whole.cells, again.cells);
  EXPECT_EQ(whole.energies_mev, again.energies_mev);
  for (std::size_t i = 0; i < conditions.size(); ++i) {
    Showers alone;
    source->make({&conditions[i], 1}, {"SiW"}, 5 + i, 11, 0, three, alone);
    EXPECT_THAT(alone.cells, testing::ElementsAreArray(whole.cells_of(i)));
    EXPECT_THAT(alone.energies_mev, testing::ElementsAreArray(whole.energies_of(i)));
  }
  Showers other;
  source->make(conditions, {"SiW"}, 5, 12, 0, one, other);
  EXPECT_NE(whole.energies_mev, other.energies_mev);
}

TEST(Cascade, ShowersHaveTheTrainingsThresholdAndMeans) {
  const ModelFolder model = trained_model(test::small_mesh(), 60);
  const auto source = calo::ShowerSource::of_folder(model);
  const Showers truth = toy_showers(test::small_mesh(), 1500, 77);
  core::ThreadPool pool(2);
  Showers made;
  source->make(truth.conditions, {"SiW"}, 0, 1, 0, pool, made);
  const float threshold = model.weights.at("threshold_mev").values[0];
  for (const float energy : made.energies_mev) EXPECT_GE(energy, threshold * 0.999f);
  double energy_made = 0, energy_true = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    const auto cells = made.cells_of(i);
    EXPECT_TRUE(std::is_sorted(cells.begin(), cells.end()));
    energy_made += made.total_energy_mev(i) / truth.conditions[i].incident_energy_mev;
    energy_true += truth.total_energy_mev(i) / truth.conditions[i].incident_energy_mev;
  }
  EXPECT_NEAR(energy_made / energy_true, 1, 0.03);
  EXPECT_NEAR(static_cast<double>(made.num_hits()) / static_cast<double>(truth.num_hits()), 1, 0.1);
}

TEST(Cascade, CellsBelowTheThresholdAskedForAreLeftOut) {
  const auto source = calo::ShowerSource::of_folder(trained_model());
  core::ThreadPool pool(1);
  const auto conditions = conditions_of(20);
  Showers all, cut;
  source->make(conditions, {"SiW"}, 0, 1, 0, pool, all);
  source->make(conditions, {"SiW"}, 0, 1, 40, pool, cut);
  std::vector<float> expected;
  std::copy_if(all.energies_mev.begin(), all.energies_mev.end(), std::back_inserter(expected),
               [](float energy) { return energy >= 40; });
  EXPECT_EQ(cut.energies_mev, expected);
  EXPECT_LT(expected.size(), all.energies_mev.size());
}

TEST(Cascade, FolderIsReadBackAndMakesTheSameShowers) {
  const test::TempFolder folder;
  const ModelFolder model = trained_model();
  model.write(folder.path());
  const ModelFolder read = ModelFolder::read(folder.path());
  EXPECT_EQ(read.weights.size(), model.weights.size());
  core::ThreadPool pool(1);
  const auto conditions = conditions_of(3);
  Showers a, b;
  calo::ShowerSource::of_folder(model)->make(conditions, {"SiW"}, 0, 1, 0, pool, a);
  calo::ShowerSource::open(folder.path())->make(conditions, {"SiW"}, 0, 1, 0, pool, b);
  EXPECT_EQ(a.energies_mev, b.energies_mev);
  EXPECT_THROW(calo::ShowerSource::open(folder.path(), calo::infer::Precision::kBf16), core::UsageError);
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const core::Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Cascade, NamesWhatIsWrong) {
  using testing::HasSubstr;
  const test::TempFolder folder;
  const ModelFolder model = trained_model();
  const auto broken = [&](const auto& change) {
    ModelFolder other = model;
    change(other);
    other.write(folder.path());
    return message_of([&] { calo::ShowerSource::open(folder.path()); });
  };
  EXPECT_THAT(broken([](ModelFolder& m) { m.weights.erase("phi1.1.bias"); }), HasSubstr("phi1.1.bias"));
  EXPECT_THAT(broken([](ModelFolder& m) { m.weights["layer_cuts"].values[1] = 77; }), HasSubstr("layer_cuts[1]"));
  EXPECT_THAT(broken([](ModelFolder& m) { m.weights["threshold_mev"].values[0] = -1; }),
              HasSubstr("threshold_mev"));
  EXPECT_THAT(broken([](ModelFolder& m) { m.description.cascade_width = 32; }), HasSubstr("another shape"));
  core::ThreadPool pool(1);
  const auto make = [&](const ModelFolder& m) {
    return message_of([&] {
      Showers made;
      calo::ShowerSource::of_folder(m)->make(conditions_of(1), {"SiW"}, 0, 1, 0, pool, made);
    });
  };
  ModelFolder wild = model;
  for (float& value : wild.weights["rings.output.weight"].values) value = 1e38f;
  EXPECT_THAT(make(wild), HasSubstr("rings"));

  const VoxelMesh layered(std::vector<calo::LayerBinning>{{{0, 1, 2}, 4}, {{0, 3}, 2}});
  const calo::Transform of_layered = transform_of(layered);
  EXPECT_THAT(message_of([&] { calo::cascade_nets(small_description(), of_layered); }),
              HasSubstr("regular cylinder"));
  EXPECT_THAT(message_of([&] { calo::device_of("cascade", "cuda"); }), HasSubstr("CPU only"));
  const VoxelMesh mesh = uneven_mesh();
  Showers noisy = toy_showers(mesh, 20, 1);
  noisy.energies_mev[7] = 1e-12f;
  EXPECT_THAT(message_of([&] { calo::train(noisy, transform_of(mesh), small_description(), {}, pool); }),
              HasSubstr("--threshold-mev"));
}

TEST(Cascade, IsNotConvertedToOnnx) {
  const test::TempFolder folder;
  trained_model().write(folder.path());
  const std::string expected = "a cascade cannot be converted to ONNX yet";
  EXPECT_THAT(message_of([&] { calo::require_onnx(folder.path()); }), testing::HasSubstr(expected));
  EXPECT_THAT(message_of([&] { calo::convert(ModelFolder::read(folder.path()), {}, folder.path() / "x.onnx"); }),
              testing::HasSubstr(expected));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "x.onnx"));
  EXPECT_NO_THROW(calo::require_onnx(folder.path() / "model.json"));
}

}  // namespace
