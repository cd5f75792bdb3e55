#include "calo/train/trainer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>

#include "calo/models/architectures.h"
#include "calo/train/detail/metrics_log.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/staged_output.h"
#include "support/random_showers.h"
#include "support/temp_folder.h"

namespace {

using calo::ModelDescription;
using calo::TrainResult;

ModelDescription small_description() {
  return {
      .intermediate_dims = {12, 6}, .latent_dim = 3, .batch_size = 16, .epochs = 6, .validation_split = 0.2};
}

TrainResult train(const ModelDescription& description, const calo::TrainOptions& options = {},
                  int threads = 1) {
  core::ThreadPool pool(threads);
  const calo::VoxelMesh mesh = test::small_mesh();
  static const calo::Showers showers = test::random_showers(mesh, 100, 3);
  return calo::train(showers, {.mesh = mesh, .max_energy_mev = 4000}, description, options, pool);
}

void expect_same_weights(const TrainResult& a, const TrainResult& b) {
  for (const auto& [name, tensor] : a.weights) EXPECT_EQ(tensor.values, b.weights.at(name).values) << name;
}

TEST(Trainer, LearnsAndRepeatsItselfToTheBit) {
  const TrainResult a = train(small_description());
  EXPECT_LT(a.history.back().validation_loss, a.history.front().validation_loss);
  expect_same_weights(a, train(small_description()));
  expect_same_weights(train(small_description(), {}, 3), train(small_description(), {}, 3));
}

TEST(Trainer, ResumedIsTheSameAsUnbrokenToTheBit) {
  const test::TempFolder folder;
  for (const bool save_best : {true, false}) {
    ModelDescription description = small_description();
    description.save_best = save_best;
    const TrainResult unbroken = train(description);
    calo::TrainOptions options{.checkpoint_folder = folder.path(), .data_hash = "x"};
    core::set_interrupt(true);  // as if the signal came in the first epoch
    EXPECT_THROW(train(description, options), core::Interrupted);
    options.resume = true;
    EXPECT_THROW(train(description, options), core::Interrupted);  // and again in the second
    core::set_interrupt(false);
    const TrainResult resumed = train(description, options);
    expect_same_weights(unbroken, resumed);
    ASSERT_EQ(resumed.history.size(), unbroken.history.size());
    EXPECT_EQ(resumed.history.back().loss, unbroken.history.back().loss);
    EXPECT_EQ(resumed.best_epoch, unbroken.best_epoch);
  }
}

TEST(Trainer, StartsFromATrainedModel) {
  const TrainResult first = train(small_description());
  const TrainResult second = train(small_description(), {.start = first.weights});
  EXPECT_DOUBLE_EQ(second.start_validation_loss, first.validation_loss);
  EXPECT_DOUBLE_EQ(second.history.front().lr, small_description().lr * small_description().adapt_lr);
  EXPECT_LT(second.validation_loss, first.validation_loss);
  EXPECT_TRUE(std::isnan(first.start_validation_loss));
  const calo::VoxelMesh mesh = test::small_mesh();
  const calo::Transform transform{.mesh = mesh, .max_energy_mev = 4000};
  const calo::ModelFolder model{
      .description = small_description(), .transform = transform, .weights = first.weights};
  EXPECT_EQ(calo::starting_weights(model, small_description(), transform).size(), first.weights.size());
  const auto refused = [&](const ModelDescription& description, const calo::Transform& wanted) {
    try {
      calo::starting_weights(model, description, wanted);
    } catch (const core::InputError& error) {
      return error.details().field;
    }
    return std::string();
  };
  ModelDescription other = small_description();
  other.latent_dim = 4;
  EXPECT_EQ(refused(other, transform), "decoder.0.weight");
  calo::Transform renamed = transform;
  renamed.one_hot_order = {"SiW", "SciPb"};
  EXPECT_EQ(refused(small_description(), renamed), "transform.one_hot_order");
}

TEST(Trainer, AveragesAreResumedToTheBit) {
  const test::TempFolder folder;
  ModelDescription description = small_description();
  description.ema = 0.9;
  const TrainResult unbroken = train(description);
  EXPECT_EQ(unbroken.history.back().loss, train(small_description()).history.back().loss);
  EXPECT_NE(unbroken.history.back().validation_loss,
            train(small_description()).history.back().validation_loss);
  calo::TrainOptions options{.checkpoint_folder = folder.path(), .finish_epoch_within_seconds = 0};
  for (int piece = 0; piece < 3; ++piece, options.resume = true) {
    core::set_interrupt(true);
    EXPECT_THROW(train(description, options), core::Interrupted);
    core::set_interrupt(false);
  }
  expect_same_weights(unbroken, train(description, options));
}

TEST(Trainer, RefusesACheckpointThatDoesNotFit) {
  const test::TempFolder folder;
  calo::TrainOptions options{.checkpoint_folder = folder.path(), .data_hash = "x"};
  train(small_description(), options);
  options.resume = true;
  ModelDescription other = small_description();
  other.lr = 0.5;
  EXPECT_THROW(train(other, options), core::InputError);
  options.data_hash = "y";
  EXPECT_THROW(train(small_description(), options), core::InputError);
  options.data_hash = "x";
  const std::string bytes = core::read_file(folder / "checkpoint.h5");
  core::write_file(folder / "checkpoint.h5", bytes.substr(0, bytes.size() / 2));
  EXPECT_THROW(train(small_description(), options), core::InputError);
}

TEST(Trainer, StopsEarlyWithoutGain) {
  ModelDescription description = small_description();
  description.early_stop = true;
  description.patience = 2;
  description.min_delta = 1e6;  // nothing is an improvement after the first epoch
  const TrainResult result = train(description);
  EXPECT_TRUE(result.stopped_early);
  EXPECT_EQ(result.history.size(), 3u);
}

TEST(Trainer, CrossValidatesAndThenTrainsOnAll) {
  ModelDescription description = small_description();
  description.k_folds = 3;
  description.epochs = 2;
  const TrainResult result = train(description);
  ASSERT_EQ(result.fold_losses.size(), 3u);
  for (const double loss : result.fold_losses) EXPECT_TRUE(std::isfinite(loss));
  description.k_folds = 0;
  expect_same_weights(result, train(description));
  description.k_folds = 90;
  EXPECT_THROW(train(description), core::UsageError);
}

TEST(Trainer, NamesTheEpochInWhichTheLossDiverged) {
  ModelDescription description = small_description();
  description.optimizer = "sgd";
  description.lr = 1e3;
  description.batch_norm = false;
  description.epochs = 50;
  EXPECT_THROW(train(description), core::InputError);
  // The loss of the only step is that of the initial weights: only the validation shows that the step failed.
  description.optimizer = "adam";
  description.epochs = 1;
  description.batch_size = 100;
  EXPECT_THROW(train(description), core::InputError);
}

TEST(LearningRate, FollowsItsSchedule) {
  ModelDescription d{.lr = 1, .lr_decay = 0.1, .lr_step_epochs = 10, .epochs = 101};
  EXPECT_EQ(calo::learning_rate(d, 50), 1);
  d.lr_schedule = "step";
  EXPECT_DOUBLE_EQ(calo::learning_rate(d, 25), 0.01);
  d.lr_schedule = "exponential";
  EXPECT_DOUBLE_EQ(calo::learning_rate(d, 100), 0.1);
  d.lr_schedule = "cosine";
  EXPECT_DOUBLE_EQ(calo::learning_rate(d, 0), 1);
  EXPECT_NEAR(calo::learning_rate(d, 100), 0.1, 1e-12);
  d.lr_warmup_epochs = 4;
  EXPECT_DOUBLE_EQ(calo::learning_rate(d, 0), 0.2);
}

TEST(Crc32c, MatchesThePublishedVectors) {
  EXPECT_EQ(calo::crc32c(std::string(32, '\0')), 0x8a9136aau);  // RFC 3720, B.4
  EXPECT_EQ(calo::crc32c("123456789"), 0xe3069283u);
}

TEST(Logs, TensorBoardReadsThem) {
  const char* python = std::getenv("CALOPIPE_PYTHON");
  if (python == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  const test::TempFolder folder;
  const auto now = [] {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  };
  const double begin = now();
  // Interrupted after its first epoch and resumed: the times of that epoch are kept.
  core::set_interrupt(true);
  EXPECT_THROW(train(small_description(), {.checkpoint_folder = folder / "checkpoints"}), core::Interrupted);
  core::set_interrupt(false);
  const double resumed = now();
  const TrainResult result =
      train(small_description(),
            {.checkpoint_folder = folder / "checkpoints", .resume = true, .log_folder = folder.path()});
  EXPECT_LE(result.history.front().time_unix_s, resumed);
  EXPECT_GE(result.history.back().time_unix_s, resumed);
  std::ofstream(folder / "peer.py") << R"(
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator('.'); events.Reload()
lines = [json.loads(line) for line in open('metrics.jsonl')]
scalars = events.Scalars('loss/train')
assert len(scalars) == len(lines) == 6, (len(scalars), len(lines))
times = [s.wall_time for s in scalars]
assert times == sorted(times) and times == [l['time_unix_s'] for l in lines], times
begin, end = float(sys.argv[1]), float(sys.argv[2])
assert begin <= events.FirstEventTimestamp() <= times[0] and times[-1] <= end, (begin, times, end)
assert all(abs(s.value - l['loss']) < 1e-4 * l['loss'] and s.step == l['epoch'] for s, l in zip(scalars, lines))
)";
  EXPECT_EQ(std::system(fmt::format("cd '{}' && '{}' peer.py {:.17g} {:.17g} 2>/dev/null",
                                    folder.path().string(), python, begin, now())
                            .c_str()),
            0);
}

}  // namespace
