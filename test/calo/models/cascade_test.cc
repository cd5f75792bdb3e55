#include "calo/models/cascade/cascade.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <numeric>

#include "calo/generate/shower_source.h"
#include "calo/io/shower_reader.h"
#include "calo/models/architectures.h"
#include "calo/models/cascade/detail/cascade_shape.h"
#include "calo/models/stored_model.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/philox.h"
#include "support/random_showers.h"
#include "support/temp_folder.h"
#include "support/toy_cascade.h"

namespace {

using calo::ModelDescription;
using calo::ModelFolder;
using calo::Showers;
using calo::VoxelMesh;

using test::small_cascade;
using test::train_cascade;
using test::trained_cascade;

std::vector<calo::Conditions> conditions_of(std::size_t count) {
  std::vector<calo::Conditions> conditions;
  for (std::size_t i = 0; i < count; ++i)
    conditions.push_back({.incident_energy_mev = 1000.0f * static_cast<float>(1 + i % 7),
                          .theta_rad = static_cast<float>(std::numbers::pi / 2)});
  return conditions;
}

// Analytic gradients of the whole likelihood, by a step of plain gradient descent: w' = w − lr · gradient.
void expect_gradients_of_differences(const VoxelMesh& mesh) {
  const Showers showers = test::toy_showers(mesh, 24, 5);
  std::vector<std::uint32_t> all(showers.size());
  std::iota(all.begin(), all.end(), 0u);
  core::ThreadPool pool(2);
  ModelDescription description = small_cascade();
  description.cascade_width = 8;
  description.optimizer = "adam";
  description.mirror_phi = false;
  const calo::Transform transform = test::toy_transform(mesh);
  const auto model = calo::new_model(
      {.description = description, .transform = transform, .seed = 3, .showers = &showers, .training = all},
      pool);
  calo::Optimizer adam(description);
  for (int step = 1; step <= 30;
       ++step) {  // away from the initial outputs, which do not depend on the features
    adam.begin_step(step, 5e-3);
    model->train_step({.showers = showers, .indices = all}, 0, adam);
  }
  description.optimizer = "sgd";
  calo::Optimizer descent(description);
  std::vector<calo::Parameter> before = model->parameters();
  constexpr double kRate = 1e-3;
  descent.begin_step(1, kRate);
  model->train_step({.showers = showers, .indices = all}, 0, descent);
  const std::vector<calo::Parameter> after = model->parameters();
  const auto loss_with = [&](std::size_t parameter, const std::vector<float>& values) {
    model->set_parameters([&](std::vector<calo::Parameter>& parameters) {
      for (std::size_t i = 0; i < parameters.size(); ++i)
        std::copy(before[i].values.begin(), before[i].values.end(), parameters[i].values.begin());
      std::copy(values.begin(), values.end(), parameters[parameter].values.begin());
    });
    return model->evaluate({.showers = showers, .indices = all}).total();
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

TEST(Cascade, GradientsEqualFiniteDifferences) {
  expect_gradients_of_differences(test::uneven_mesh());
  expect_gradients_of_differences(test::layered_mesh());
}

TEST(Cascade, LearnsAndRepeatsItselfToTheBit) {
  const calo::TrainResult a = train_cascade(small_cascade());
  ASSERT_EQ(a.history.size(), 6u);
  EXPECT_LT(a.history.back().validation_loss, a.history.front().validation_loss - 1);
  for (const char* part : {"total", "layers", "rings", "phi0", "phi2"})
    EXPECT_TRUE(a.history[0].parts.contains(part)) << part;
  for (const int threads : {1, 3}) {
    const calo::TrainResult one = train_cascade(small_cascade(), {}, threads);
    const calo::TrainResult two = train_cascade(small_cascade(), {}, threads);
    for (const auto& [name, tensor] : one.weights)
      EXPECT_EQ(tensor.values, two.weights.at(name).values) << name;
  }
}

// Geant4's showers on the mesh of Par04, 50 cells in phi and 18 rings; a quarter of them is for evaluation
// only.
TEST(Cascade, LikelihoodOfHeldOutGeant4ShowersGrows) {
  core::ThreadPool pool(2);
  const auto reader = calo::ShowerReader::open("data/mlfastsim", {.energies_mev = {1000, 4000}}, pool);
  const Showers all = calo::read_all(*reader);
  Showers showers(all.num_cells(), all.geometries);
  for (std::size_t i = 0; i < all.size() && showers.size() < 80;
       i += std::max<std::size_t>(1, all.size() / 80))
    showers.append(all, i, i + 1);
  ASSERT_GE(showers.size(), 60u);
  ModelDescription description = small_cascade();
  description.batch_size = 4;
  description.epochs = 3;
  const calo::TrainResult result =
      calo::train(showers, test::toy_transform(reader->info().mesh), description, {}, pool);
  for (const char* part : {"layers", "rings", "phi0", "phi1", "phi2", "phi3", "phi4"})
    EXPECT_LT(result.history.back().validation_parts.at(part),
              result.history.front().validation_parts.at(part))
        << part;
}

TEST(Cascade, ResumedIsTheSameAsUnbrokenToTheBit) {
  const test::TempFolder folder;
  const ModelDescription description = small_cascade();
  const calo::TrainResult unbroken = train_cascade(description);
  calo::TrainOptions options{.checkpoint_folder = folder.path(), .data_hash = "x"};
  core::set_interrupt(true);  // as if the signal came in the first epoch
  EXPECT_THROW(train_cascade(description, options), core::Interrupted);
  options.resume = true;
  EXPECT_THROW(train_cascade(description, options), core::Interrupted);  // and again in the second
  core::set_interrupt(false);
  const calo::TrainResult resumed = train_cascade(description, options);
  for (const auto& [name, tensor] : unbroken.weights)
    EXPECT_EQ(tensor.values, resumed.weights.at(name).values) << name;
  EXPECT_EQ(resumed.history.back().loss, unbroken.history.back().loss);
}

TEST(Cascade, ShowersDoNotDependOnBatchOrThreads) {
  for (const VoxelMesh& mesh : {test::uneven_mesh(), test::layered_mesh()}) {
    auto source = calo::ShowerSource::of_folder(trained_cascade(mesh));
    const std::vector<calo::Conditions> conditions = conditions_of(70);
    core::ThreadPool one(1), three(3);
    Showers whole;
    source.make(conditions, {"SiW"}, 5, 11, 0, one, whole);
    ASSERT_EQ(whole.size(), conditions.size());
    Showers again;
    source.make(conditions, {"SiW"}, 5, 11, 0, three, again);
    EXPECT_EQ(whole.cells, again.cells);
    EXPECT_EQ(whole.energies_mev, again.energies_mev);
    for (std::size_t i = 0; i < conditions.size(); ++i) {
      Showers alone;
      source.make({&conditions[i], 1}, {"SiW"}, 5 + i, 11, 0, three, alone);
      EXPECT_THAT(alone.cells, testing::ElementsAreArray(whole.cells_of(i)));
      EXPECT_THAT(alone.energies_mev, testing::ElementsAreArray(whole.energies_of(i)));
    }
    Showers other;
    source.make(conditions, {"SiW"}, 5, 12, 0, one, other);
    EXPECT_NE(whole.energies_mev, other.energies_mev);
  }
}

TEST(Cascade, ShowersHaveTheTrainingsThresholdAndMeans) {
  for (const VoxelMesh& mesh : {test::small_mesh(), test::layered_mesh()}) {
    const ModelFolder model = trained_cascade(mesh, 60);
    auto source = calo::ShowerSource::of_folder(model);
    const Showers truth = test::toy_showers(mesh, 1500, 77);
    core::ThreadPool pool(2);
    Showers made;
    source.make(truth.conditions, {"SiW"}, 0, 1, 0, pool, made);
    const float threshold = model.weights.at("threshold_mev").values[0];
    for (const float energy : made.energies_mev) EXPECT_GE(energy, threshold * 0.999f);
    double energy_made = 0, energy_true = 0, squares = 0;
    for (std::size_t i = 0; i < truth.size(); ++i) {
      const auto cells = made.cells_of(i);
      EXPECT_TRUE(std::is_sorted(cells.begin(), cells.end()));
      energy_made += made.total_energy_mev(i) / truth.conditions[i].incident_energy_mev;
      const double response = truth.total_energy_mev(i) / truth.conditions[i].incident_energy_mev;
      energy_true += response;
      squares += response * response;
    }
    // The mean cannot be known better than from the 90 showers of the training.
    const double mean = energy_true / 1500, spread = std::sqrt(squares / 1500 - mean * mean);
    EXPECT_NEAR(energy_made / energy_true, 1, 3 * spread / mean / std::sqrt(90));
    EXPECT_NEAR(static_cast<double>(made.num_hits()) / static_cast<double>(truth.num_hits()), 1, 0.1);
  }
}

TEST(Cascade, CellsBelowTheThresholdAskedForAreLeftOut) {
  auto source = calo::ShowerSource::of_folder(trained_cascade());
  core::ThreadPool pool(1);
  const auto conditions = conditions_of(20);
  Showers all, cut;
  source.make(conditions, {"SiW"}, 0, 1, 0, pool, all);
  source.make(conditions, {"SiW"}, 0, 1, 40, pool, cut);
  std::vector<float> expected;
  std::copy_if(all.energies_mev.begin(), all.energies_mev.end(), std::back_inserter(expected),
               [](float energy) { return energy >= 40; });
  EXPECT_EQ(cut.energies_mev, expected);
  EXPECT_LT(expected.size(), all.energies_mev.size());
}

TEST(Cascade, FolderIsReadBackAndMakesTheSameShowers) {
  const test::TempFolder folder;
  const ModelFolder model = trained_cascade();
  model.write(folder.path());
  const ModelFolder read = calo::read_model(folder.path());
  EXPECT_EQ(read.weights.size(), model.weights.size());
  core::ThreadPool pool(1);
  const auto conditions = conditions_of(3);
  Showers a, b;
  calo::ShowerSource::of_folder(model).make(conditions, {"SiW"}, 0, 1, 0, pool, a);
  calo::ShowerSource::open(folder.path()).make(conditions, {"SiW"}, 0, 1, 0, pool, b);
  EXPECT_EQ(a.energies_mev, b.energies_mev);
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
  const ModelFolder model = trained_cascade();
  const auto broken = [&](const auto& change) {
    ModelFolder other = model;
    change(other);
    other.write(folder.path());
    return message_of([&] { calo::ShowerSource::open(folder.path()); });
  };
  EXPECT_THAT(broken([](ModelFolder& m) { m.weights.erase("phi1.1.bias"); }), HasSubstr("phi1.1.bias"));
  EXPECT_THAT(broken([](ModelFolder& m) { m.weights["layer_cuts"].values[1] = 77; }),
              HasSubstr("layer_cuts[1]"));
  EXPECT_THAT(broken([](ModelFolder& m) { m.weights["threshold_mev"].values[0] = -1; }),
              HasSubstr("threshold_mev"));
  EXPECT_THAT(broken([](ModelFolder& m) { m.description.cascade_width = 32; }),
              HasSubstr("does not have the shape"));
  core::ThreadPool pool(1);
  const auto make = [&](const ModelFolder& m) {
    return message_of([&] {
      Showers made;
      calo::ShowerSource::of_folder(m).make(conditions_of(1), {"SiW"}, 0, 1, 0, pool, made);
    });
  };
  ModelFolder wild = model;
  for (float& value : wild.weights["rings.output.weight"].values) value = 1e38f;
  EXPECT_THAT(make(wild), HasSubstr("rings"));

  const VoxelMesh one_ring(std::vector<calo::LayerBinning>{{{0, 2}, 4}, {{0, 3}, 2}});
  EXPECT_THAT(
      message_of([&] {
        calo::cascade::cascade_nets(calo::cascade_shape(small_cascade(), test::toy_transform(one_ring)));
      }),
      HasSubstr("two rings"));
  EXPECT_THAT(message_of([&] { calo::architecture("cascade").device("cuda"); }),
              HasSubstr("only be trained on the CPU"));
  const VoxelMesh mesh = test::uneven_mesh();
  Showers noisy = test::toy_showers(mesh, 20, 1);
  noisy.energies_mev[7] = 1e-12f;
  EXPECT_THAT(message_of([&] { calo::train(noisy, test::toy_transform(mesh), small_cascade(), {}, pool); }),
              HasSubstr("--threshold-mev"));
}

}  // namespace
