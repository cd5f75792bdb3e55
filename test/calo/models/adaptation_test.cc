// Training of a cascade by network: best epochs, early stopping, averages of the weights, and the start from
// a trained model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "calo/models/architectures.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "support/temp_folder.h"
#include "support/toy_cascade.h"

namespace {

using calo::ModelDescription;
using calo::ModelFolder;
using calo::TrainOptions;
using calo::TrainResult;
using test::small_cascade;
using test::train_cascade;

std::string network_of(const std::string& tensor) {
  return tensor.substr(0, tensor.find('.'));
}

// The losses of small samples fluctuate with this rate, so that the best epochs of the networks differ.
ModelDescription restless_cascade() {
  ModelDescription description = small_cascade();
  description.lr = 0.02;
  description.epochs = 12;
  return description;
}

TrainOptions start_of(const ModelFolder& model, const calo::VoxelMesh& mesh = test::uneven_mesh()) {
  return {.start = calo::starting_weights(model, model.description, test::toy_transform(mesh)),
          .start_hash = "model"};
}

void expect_same(const TrainResult& a, const TrainResult& b) {
  ASSERT_EQ(a.weights.size(), b.weights.size());
  for (const auto& [name, tensor] : a.weights) EXPECT_EQ(tensor.values, b.weights.at(name).values) << name;
  ASSERT_EQ(a.history.size(), b.history.size());
  for (std::size_t i = 0; i < a.history.size(); ++i) {
    EXPECT_EQ(a.history[i].parts, b.history[i].parts);
    EXPECT_EQ(a.history[i].validation_parts, b.history[i].validation_parts);
  }
  EXPECT_EQ(a.best_epochs, b.best_epochs);
  EXPECT_EQ(a.stopped_early, b.stopped_early);
  EXPECT_EQ(a.loss, b.loss);
  EXPECT_EQ(a.validation_loss, b.validation_loss);
}

// Interrupts a training after each batch and each epoch, and resumes it, until it is complete.
TrainResult in_pieces(const ModelDescription& description, TrainOptions options) {
  const test::TempFolder folder;
  options.checkpoint_folder = folder.path();
  options.finish_epoch_within_seconds = 0;
  for (int piece = 0; piece < 1000; ++piece) {
    options.resume = piece > 0;
    core::set_interrupt(true);
    try {
      TrainResult result = train_cascade(description, options);
      core::set_interrupt(false);
      EXPECT_GT(piece, description.epochs);
      return result;
    } catch (const core::Interrupted&) {
      core::set_interrupt(false);
    }
  }
  ADD_FAILURE() << "the training does not end";
  return {};
}

TEST(Adaptation, ResumedIsTheSameAsUnbrokenToTheBit) {
  const ModelFolder model = test::trained_cascade();
  for (const bool from : {false, true})
    for (const double ema : {0.0, 0.9})
      for (const bool early_stop : {false, true}) {
        SCOPED_TRACE(testing::Message() << "from " << from << ", ema " << ema << ", stop " << early_stop);
        ModelDescription description = restless_cascade();
        description.epochs = 7;
        description.adapt_epochs = 3;
        description.ema = ema;
        description.early_stop = early_stop;
        description.patience = 1;
        const TrainOptions options = from ? start_of(model) : TrainOptions();
        const TrainResult unbroken = train_cascade(description, options);
        const TrainResult pieces = in_pieces(description, options);
        expect_same(unbroken, pieces);
        EXPECT_EQ(std::isnan(unbroken.start_validation_loss), !from);
        if (from) {
          EXPECT_EQ(unbroken.start_validation_loss, pieces.start_validation_loss);
        }
      }
}

TEST(Adaptation, RefusesACheckpointFromAnotherStart) {
  const test::TempFolder folder;
  TrainOptions options = start_of(test::trained_cascade());
  options.checkpoint_folder = folder.path();
  train_cascade(small_cascade(), options);
  options.resume = true;
  train_cascade(small_cascade(), options);
  options.start_hash = "other";
  EXPECT_THROW(train_cascade(small_cascade(), options), core::InputError);
  EXPECT_THROW(train_cascade(small_cascade(), {.checkpoint_folder = folder.path(), .resume = true}),
               core::InputError);
}

TEST(Adaptation, FirstPhaseTrainsOnlyTablesBiasesAndOutputLayers) {
  const ModelFolder model = test::trained_cascade();
  const TrainOptions options = start_of(model);
  ModelDescription description = small_cascade();
  description.ema = 0.9;
  description.adapt_epochs = 3;
  description.save_best = false;
  for (const std::int64_t epochs : {3, 4}) {
    description.epochs = epochs;
    const TrainResult result = train_cascade(description, options);
    int hidden = 0;
    for (const auto& [name, tensor] : result.weights) {
      const auto start = options.start.find(name);
      if (start == options.start.end()) continue;  // fitted to the showers
      const bool is_hidden = name.ends_with(".weight") && !name.ends_with("output.weight");
      hidden += static_cast<int>(is_hidden);
      if (name == "layer_cuts" || (is_hidden && epochs == 3))
        EXPECT_EQ(tensor.values, start->second.values) << name;
      else
        EXPECT_NE(tensor.values, start->second.values) << name;
    }
    EXPECT_EQ(hidden, 2 + 3 + 2 + 3 * 2);  // total, layers, rings, phi0 to phi2
  }
}

TEST(Adaptation, LearningRateHasAScheduleForEachPhase) {
  const ModelDescription description{
      .lr = 1, .lr_schedule = "cosine", .lr_decay = 0.01, .epochs = 10, .adapt_epochs = 4, .adapt_lr = 0.1};
  EXPECT_DOUBLE_EQ(calo::adaptation_rate(description, 4, 0), 1);
  EXPECT_NEAR(calo::adaptation_rate(description, 4, 3), 0.01, 1e-12);
  EXPECT_DOUBLE_EQ(calo::adaptation_rate(description, 4, 4), 0.1);
  EXPECT_NEAR(calo::adaptation_rate(description, 4, 9), 0.001, 1e-12);
}

// For the same showers, the start is the trained model, whatever the names and the number of the geometries.
TEST(Adaptation, ANewGeometryStartsAsTheTrainedOne) {
  const calo::VoxelMesh mesh = test::uneven_mesh();
  const calo::Showers showers = test::toy_showers(mesh, 120, 3);
  ModelDescription description = small_cascade();
  description.epochs = 8;
  core::ThreadPool pool(1);
  const TrainResult first = calo::train(showers, test::toy_transform(mesh), description, {}, pool);
  EXPECT_TRUE(std::isnan(first.start_validation_loss));
  const ModelFolder model{
      .description = description, .transform = test::toy_transform(mesh), .weights = first.weights};
  description.epochs = 1;
  for (const std::vector<std::string>& order :
       {std::vector<std::string>{"SciPb", "SiW"}, {"SiW", "W"}, {"W"}, {"Pb", "W", "Cu"}})
    for (const char* name : {"SiW", "W"}) {
      if (std::find(order.begin(), order.end(), name) == order.end()) continue;
      calo::Transform transform = test::toy_transform(mesh);
      transform.one_hot_order = order;
      transform.trained_geometries = {name};
      calo::Showers renamed = showers;
      renamed.geometries = {name};
      const TrainResult result =
          calo::train(renamed, transform, description,
                      {.start = calo::starting_weights(model, description, transform)}, pool);
      EXPECT_NEAR(result.start_validation_loss, first.validation_loss, 1e-4 * first.validation_loss) << name;
    }
}

TEST(Adaptation, OtherShowersAreLearntFasterThanFromTheBeginning) {
  const calo::VoxelMesh mesh = test::uneven_mesh();
  ModelDescription description = small_cascade();
  description.epochs = 30;
  core::ThreadPool pool(2);
  const TrainResult first =
      calo::train(test::toy_showers(mesh, 400, 3), test::toy_transform(mesh), description, {}, pool);
  const ModelFolder model{
      .description = description, .transform = test::toy_transform(mesh), .weights = first.weights};
  calo::Showers others = test::toy_showers(mesh, 60, 9);  // another sampling fraction
  for (float& energy : others.energies_mev) energy *= 0.6f;
  description.epochs = 8;
  const TrainResult fresh = calo::train(others, test::toy_transform(mesh), description, {}, pool);
  const TrainResult adapted =
      calo::train(others, test::toy_transform(mesh), description, start_of(model), pool);
  EXPECT_LT(adapted.validation_loss, fresh.validation_loss - 1);
  EXPECT_NEAR(adapted.weights.at("threshold_mev").values[0], fresh.weights.at("threshold_mev").values[0], 0);
  EXPECT_EQ(adapted.weights.at("response").values, fresh.weights.at("response").values);
}

TEST(Adaptation, NamesWhatDoesNotFit) {
  using testing::AllOf, testing::HasSubstr;
  const ModelFolder model = test::trained_cascade();
  const auto message = [&](const ModelDescription& description, const calo::Transform& transform) {
    try {
      calo::starting_weights(model, description, transform);
    } catch (const core::InputError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  const calo::Transform same = test::toy_transform(test::uneven_mesh());
  EXPECT_EQ(message(small_cascade(), same), "no error");
  ModelDescription other = small_cascade();
  other.cascade_width = 32;
  EXPECT_THAT(message(other, same), AllOf(HasSubstr("description.cascade_width: is 24, but 32 is needed"),
                                          HasSubstr("omit --description")));
  other = small_cascade();
  other.cascade_depth = 3;
  EXPECT_THAT(message(other, same), HasSubstr("description.cascade_depth: is 2, but 3 is needed"));
  other.architecture = "vae";
  EXPECT_THAT(message(other, same),
              HasSubstr("description.architecture: is cascade, but the description asks for vae"));
  using Cylinder = calo::VoxelMesh::Cylinder;
  EXPECT_THAT(message(small_cascade(),
                      test::toy_transform(calo::VoxelMesh(Cylinder{.n_r = 5, .n_phi = 8, .n_z = 6}))),
              AllOf(HasSubstr("transform.mesh.n_phi: is 7, but 8 is needed"), HasSubstr("without --from")));
  // Cells of other sizes fit.
  EXPECT_EQ(message(small_cascade(), test::toy_transform(calo::VoxelMesh(Cylinder{
                                         .n_r = 5, .n_phi = 7, .n_z = 6, .size_r_mm = 9, .size_z_mm = 5}))),
            "no error");
}

TEST(BestWeights, AreThoseOfTheBestEpochOfEachNetwork) {
  const ModelDescription description = restless_cascade();
  const TrainResult result = train_cascade(description);
  std::set<std::int64_t> epochs;
  double sum = 0;
  for (const auto& [network, best] : result.best_epochs) {
    SCOPED_TRACE(network);
    epochs.insert(best);
    double least = std::numeric_limits<double>::infinity();
    for (const calo::EpochRecord& record : result.history)
      least = std::min(least, record.validation_parts.at(network));
    EXPECT_EQ(result.history.at(static_cast<std::size_t>(best - 1)).validation_parts.at(network), least);
    sum += least;
    // With a constant learning rate, a shorter training is the start of a longer one.
    ModelDescription shorter = description;
    shorter.epochs = best;
    shorter.save_best = false;
    const TrainResult there = train_cascade(shorter);
    for (const auto& [name, tensor] : there.weights)
      if (network_of(name) == network) {
        EXPECT_EQ(tensor.values, result.weights.at(name).values) << name;
      }
  }
  EXPECT_GT(epochs.size(), 1u);
  EXPECT_EQ(*epochs.rbegin(), result.best_epoch);
  EXPECT_NEAR(result.validation_loss, sum, 1e-9 * sum);
}

TEST(EarlyStopping, EndsEachNetworkByItselfWithoutEffectOnTheOthers) {
  for (const double ema : {0.0, 0.9}) {
    ModelDescription description = restless_cascade();
    description.ema = ema;
    const TrainResult free = train_cascade(description);
    description.early_stop = true;
    description.patience = 2;
    description.min_delta = 0;
    const TrainResult stopped = train_cascade(description);
    std::set<std::size_t> ends;
    for (const auto& [network, best] : stopped.best_epochs) {
      SCOPED_TRACE(network);
      const std::size_t end =
          std::min<std::size_t>(static_cast<std::size_t>(best) + 2, stopped.history.size());
      ends.insert(end);
      for (std::size_t i = 0; i < end; ++i) {
        EXPECT_EQ(stopped.history[i].parts.at(network), free.history[i].parts.at(network)) << i;
        EXPECT_EQ(stopped.history[i].validation_parts.at(network),
                  free.history[i].validation_parts.at(network));
      }
      for (std::size_t i = end; i < stopped.history.size(); ++i) {
        EXPECT_EQ(stopped.history[i].parts.at(network), stopped.history[end - 1].parts.at(network)) << i;
        EXPECT_EQ(stopped.history[i].validation_parts.at(network),
                  stopped.history[static_cast<std::size_t>(best) - 1].validation_parts.at(network));
      }
    }
    EXPECT_GT(ends.size(), 1u);
  }
}

TEST(EarlyStopping, EndsTheTrainingWithTheLastNetwork) {
  ModelDescription description = restless_cascade();
  description.early_stop = true;
  description.patience = 2;
  description.min_delta = 1e6;  // nothing is an improvement after the first epoch
  const TrainResult result = train_cascade(description);
  EXPECT_TRUE(result.stopped_early);
  EXPECT_EQ(result.history.size(), 3u);
}

// In each step, the average moves towards the weights by the share of its definition.
TEST(Average, IsThatOfTheWeightsOverTheSteps) {
  ModelDescription description = small_cascade();
  description.batch_size = 1000;  // one step for each epoch
  description.save_best = false;
  const auto after = [&](std::int64_t epochs, double ema) {
    ModelDescription run = description;
    run.epochs = epochs;
    run.ema = ema;
    return train_cascade(run);
  };
  // The weights before the first step: a step without a rate changes nothing.
  ModelDescription still = description;
  still.epochs = 1;
  still.lr = 1e-30;
  calo::Weights average = train_cascade(still).weights;
  constexpr double kDecay = 0.3;
  for (int t = 1; t <= 6; ++t) {
    const double decay = std::min(kDecay, (1.0 + t) / (10.0 + t));
    EXPECT_EQ(decay < kDecay, t < 3);
    const TrainResult plain = after(t, 0);
    for (auto& [name, tensor] : average)
      for (std::size_t i = 0; i < tensor.values.size(); ++i)
        tensor.values[i] +=
            static_cast<float>(1 - decay) * (plain.weights.at(name).values[i] - tensor.values[i]);
    const TrainResult averaged = after(t, kDecay);
    EXPECT_EQ(averaged.history.back().parts, plain.history.back().parts);  // the training is the same
    EXPECT_NE(averaged.history.back().validation_parts, plain.history.back().validation_parts);
    for (const auto& [name, tensor] : average)
      for (std::size_t i = 0; i < tensor.values.size(); ++i)
        ASSERT_NEAR(averaged.weights.at(name).values[i], tensor.values[i],
                    1e-5 * (1 + std::abs(tensor.values[i])))
            << name << " after " << t;
  }
}

}  // namespace
