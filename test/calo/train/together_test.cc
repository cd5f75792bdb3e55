// Trainings by several processes, which are threads here; test/parallel/processes_test.sh has processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <mutex>

#include "calo/train/trainer.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/staged_output.h"
#include "support/random_showers.h"
#include "support/ranks.h"
#include "support/temp_folder.h"
#include "support/toy_cascade.h"

namespace {

using calo::ModelDescription;
using calo::TrainOptions;
using calo::TrainResult;
using testing::Each;
using testing::HasSubstr;

// 118 showers: the batches of 16 do not divide evenly.
TrainResult train(const ModelDescription& description, const TrainOptions& options, int threads) {
  core::ThreadPool pool(threads);
  if (description.architecture == "cascade") {
    static const calo::Showers showers = test::toy_showers(test::uneven_mesh(), 118, 3);
    return calo::train(showers, test::toy_transform(test::uneven_mesh()), description, options, pool);
  }
  const calo::VoxelMesh mesh(calo::VoxelMesh::Cylinder{.n_r = 9, .n_phi = 10, .n_z = 10});  // 900 cells
  static const calo::Showers showers = test::random_showers(mesh, 118, 3);
  return calo::train(showers, {.mesh = mesh, .max_energy_mev = 4000}, description, options, pool);
}

ModelDescription small(const std::string& architecture) {
  if (architecture == "cascade") {
    ModelDescription description = test::small_cascade();
    description.epochs = 4;
    description.ema = 0.9;
    return description;
  }
  return {.intermediate_dims = {12, 6},
          .latent_dim = 3,
          .rotate_phi = true,
          .ema = 0.9,
          .batch_size = 16,
          .epochs = 4,
          .validation_split = 0.2};
}

// The results of all ranks.
std::vector<TrainResult> train_together(int size, const ModelDescription& description,
                                        const TrainOptions& options = {}, int threads = 1,
                                        std::vector<std::string>* messages = nullptr) {
  std::vector<TrainResult> results(static_cast<std::size_t>(size));
  const std::vector<std::string> found = test::in_ranks(size, [&](core::ProcessGroup& group) {
    const TrainOptions own{.seed = options.seed,
                           .checkpoint_folder = options.checkpoint_folder,
                           .resume = options.resume,
                           .log_folder = options.log_folder,
                           .finish_epoch_within_seconds = options.finish_epoch_within_seconds,
                           .data_hash = options.data_hash,
                           .group = group};
    results[static_cast<std::size_t>(group.rank())] = train(description, own, threads);
  });
  if (messages == nullptr)
    EXPECT_THAT(found, Each(""));
  else
    *messages = found;
  return results;
}

void expect_same_weights(const TrainResult& a, const TrainResult& b) {
  ASSERT_FALSE(a.weights.empty());
  for (const auto& [name, tensor] : a.weights) EXPECT_EQ(tensor.values, b.weights.at(name).values) << name;
}

void expect_near(const TrainResult& a, const TrainResult& b) {
  ASSERT_EQ(a.history.size(), b.history.size());
  for (std::size_t i = 0; i < a.history.size(); ++i) {
    EXPECT_NEAR(a.history[i].loss, b.history[i].loss, 1e-4 * std::abs(a.history[i].loss));
    EXPECT_NEAR(a.history[i].validation_loss, b.history[i].validation_loss,
                1e-4 * std::abs(a.history[i].validation_loss));
  }
  EXPECT_NEAR(a.validation_loss, b.validation_loss, 1e-4 * std::abs(a.validation_loss));
}

class Together : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Architectures, Together, testing::Values("cascade", "vae"),
                         [](const auto& info) { return info.param; });

TEST_P(Together, TheResultIsThatOfOneProcessApartFromRounding) {
  const ModelDescription description = small(GetParam());
  const TrainResult alone = train(description, {}, 1);
  for (const int size : {2, 3}) {
    const std::vector<TrainResult> results = train_together(size, description);
    for (const TrainResult& result : results) {
      expect_near(alone, result);
      expect_same_weights(results.front(), result);
    }
  }
}

TEST_P(Together, RepeatsItselfToTheBit) {
  const ModelDescription description = small(GetParam());
  expect_same_weights(train_together(2, description, {}, 2)[0], train_together(2, description, {}, 2)[1]);
}

TEST_P(Together, IsResumedWithAnotherNumberOfProcesses) {
  const ModelDescription description = small(GetParam());
  const TrainResult unbroken = train_together(2, description)[0];
  for (const auto& [first, second] : {std::pair(2, 2), std::pair(3, 1), std::pair(1, 2)}) {
    const test::TempFolder folder;
    TrainOptions options{
        .checkpoint_folder = folder.path(), .finish_epoch_within_seconds = 0, .data_hash = "x"};
    for (const int size : {first, second}) {  // stops twice, at different places
      core::set_interrupt(true);
      std::vector<std::string> messages;
      train_together(size, description, options, 1, &messages);
      core::set_interrupt(false);
      EXPECT_THAT(messages, Each(HasSubstr("its state is saved")));
      options.resume = true;
    }
    const TrainResult resumed = train_together(second, description, options)[0];
    if (first == 2)
      expect_same_weights(unbroken, resumed);
    else
      expect_near(unbroken, resumed);
  }
}

TEST_P(Together, OnlyTheFirstWrites) {
  const test::TempFolder folder;
  ModelDescription description = small(GetParam());
  description.early_stop = true;
  description.patience = 2;
  description.min_delta = 1e6;
  const std::vector<TrainResult> results =
      train_together(2, description, {.checkpoint_folder = folder / "state", .log_folder = folder / "logs"});
  for (const TrainResult& result : results) EXPECT_TRUE(result.stopped_early);
  const std::string lines = core::read_file(folder / "logs/metrics.jsonl");
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'),
            static_cast<std::ptrdiff_t>(results[0].history.size()));
}

TEST(TogetherCascade, RefusesProcessesWithOtherOptions) {
  const auto messages = test::in_ranks(2, [](core::ProcessGroup& group) {
    TrainOptions options{.data_hash = group.rank() == 0 ? "a" : "b", .group = group};
    train(small("cascade"), options, 1);
  });
  EXPECT_THAT(messages[1], HasSubstr("rank 1 has another data set than rank 0"));
  EXPECT_THAT(messages[0], HasSubstr("rank 1"));
}

TEST(TogetherCascade, ProcessesMayHaveDifferentNumbersOfThreads) {
  const TrainResult alone = train(small("cascade"), {}, 1);
  TrainResult result;
  EXPECT_THAT(test::in_ranks(2,
                             [&](core::ProcessGroup& group) {
                               TrainResult own =
                                   train(small("cascade"), {.group = group}, 1 + 2 * group.rank());
                               if (group.is_first()) result = std::move(own);
                             }),
              Each(""));
  expect_near(alone, result);
}

}  // namespace
