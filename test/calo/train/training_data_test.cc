#include "calo/train/training_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "calo/io/shower_writer.h"
#include "calo/train/trainer.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "support/random_showers.h"
#include "support/temp_folder.h"

namespace {

using calo::TrainingData;

constexpr std::size_t kShowers = 700;

// Showers in a file, and TrainingData that can only keep a small part of them in memory.
class Streamed : public testing::Test {
 protected:
  Streamed() : showers_(test::random_showers(test::small_mesh(), kShowers, 3)) {
    const auto writer = calo::ShowerWriter::create(
        folder_ / "showers.h5",
        {.layout = calo::Layout::kCalopipe, .mesh = test::small_mesh(), .geometries = showers_.geometries},
        pool_);
    writer->append(showers_);
    writer->commit();
    reader_ = calo::ShowerReader::open(folder_ / "showers.h5", {}, pool_);
  }

  std::size_t bytes_of_all() const { return showers_.num_hits() * 8 + showers_.size() * 32; }
  TrainingData streamed() { return {*reader_, bytes_of_all() / 5}; }

  test::TempFolder folder_;
  core::ThreadPool pool_{1};
  calo::Showers showers_;
  std::unique_ptr<calo::ShowerReader> reader_;
};

TEST_F(Streamed, EachWantedShowerComesOnceInAnEpochWithItsNumberAndItsCells) {
  const TrainingData data = streamed();
  ASSERT_FALSE(data.is_in_memory());
  ASSERT_EQ(data.size(), kShowers);
  TrainingData::Numbers wanted;
  for (std::uint32_t number = 0; number < kShowers; ++number)
    if (number % 5 != 2) wanted.push_back(number);
  std::vector<TrainingData::Numbers> orders;
  for (const std::uint64_t epoch : {0, 1, 0}) {
    TrainingData::Numbers order;
    const TrainingData::Epoch parts = data.epoch(wanted, 7, epoch);
    EXPECT_GT(parts.num_parts(), 3u);
    for (std::size_t p = 0; p < parts.num_parts(); ++p) {
      const TrainingData::Part part = parts.part(p);
      EXPECT_EQ(part.size(), parts.part_size(p));
      EXPECT_LE(part.showers().num_hits() * 8, bytes_of_all() / 5 * 0.7);
      const calo::Batch batch = part.batch(0, part.size());
      for (const std::uint32_t index : batch.indices) {
        const std::uint32_t number = batch.number(index);
        order.push_back(number);
        EXPECT_TRUE(std::ranges::equal(batch.showers.cells_of(index), showers_.cells_of(number)));
        EXPECT_TRUE(std::ranges::equal(batch.showers.energies_of(index), showers_.energies_of(number)));
        EXPECT_EQ(batch.showers.conditions[index].incident_energy_mev,
                  showers_.conditions[number].incident_energy_mev);
      }
    }
    orders.push_back(order);
    std::sort(order.begin(), order.end());
    EXPECT_EQ(order, wanted);
  }
  EXPECT_NE(orders[0], orders[1]);
  EXPECT_EQ(orders[0], orders[2]);
  // Neighbours in the file are not neighbours in the training.
  std::size_t neighbours = 0;
  for (std::size_t i = 1; i < orders[0].size(); ++i) neighbours += orders[0][i] == orders[0][i - 1] + 1;
  EXPECT_LT(neighbours, orders[0].size() / 10);
}

TEST_F(Streamed, WhatFitsIsInMemoryAndInTheOrderOfShowersInMemory) {
  const TrainingData data(*reader_, 2 * bytes_of_all());
  ASSERT_TRUE(data.is_in_memory());
  TrainingData::Numbers all(kShowers);
  std::iota(all.begin(), all.end(), 0u);
  const auto order = [&](const TrainingData& some) {
    const TrainingData::Part part = some.epoch(all, 1, 4).part(0);
    return TrainingData::Numbers(part.indices().begin(), part.indices().end());
  };
  EXPECT_EQ(order(data), order(TrainingData(showers_)));
}

TEST_F(Streamed, SomeAreAsManyAsFit) {
  const TrainingData data = streamed();
  TrainingData::Numbers all(kShowers);
  std::iota(all.begin(), all.end(), 0u);
  const TrainingData::Part some = data.some(all, 1);
  EXPECT_LT(some.size(), kShowers / 10);
  EXPECT_GT(some.size(), kShowers / 40);
  const calo::Batch batch = some.batch(0, some.size());
  std::set<std::uint32_t> numbers;
  for (const std::uint32_t index : batch.indices) numbers.insert(batch.number(index));
  EXPECT_EQ(numbers.size(), some.size());
  EXPECT_GT(*numbers.rbegin(), kShowers / 2);
  EXPECT_EQ(data.some({3, 5, 600}, 1).size(), 3u);
}

calo::TrainResult train(const TrainingData& data, const calo::TrainOptions& options) {
  core::ThreadPool pool(1);
  return calo::train(data, {.mesh = test::small_mesh(), .max_energy_mev = 4000},
                     {.intermediate_dims = {12, 6},
                      .latent_dim = 3,
                      .rotate_phi = true,
                      .batch_size = 16,
                      .epochs = 3,
                      .validation_split = 0.1},
                     options, pool);
}

// A training that is repeatedly interrupted within its epochs ends with the same weights.
TEST_F(Streamed, AResumedTrainingHasTheSameWeights) {
  const TrainingData data = streamed();
  const calo::TrainResult unbroken = train(data, {});
  calo::TrainOptions options{.checkpoint_folder = folder_ / "checkpoints", .finish_epoch_within_seconds = 0};
  std::filesystem::create_directories(options.checkpoint_folder);
  core::set_interrupt(true);
  for (int i = 0; i < 50; ++i) {
    EXPECT_THROW(train(data, options), core::Interrupted);
    options.resume = true;
  }
  core::set_interrupt(false);
  const calo::TrainResult resumed = train(data, options);
  for (const auto& [name, tensor] : unbroken.weights)
    EXPECT_EQ(tensor.values, resumed.weights.at(name).values) << name;
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(resumed.history[i].loss, unbroken.history[i].loss);
    EXPECT_EQ(resumed.history[i].validation_loss, unbroken.history[i].validation_loss);
  }
}

TEST_F(Streamed, ATrainingIsNotResumedWithAnotherLimit) {
  calo::TrainOptions options{.checkpoint_folder = folder_.path()};
  train(streamed(), options);
  options.resume = true;
  try {
    train(TrainingData(*reader_, bytes_of_all() / 2), options);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const core::InputError& error) {
    EXPECT_THAT(error.details().message, testing::HasSubstr("memory"));
  }
}

// Reading from the file changes only the order of the showers.
TEST_F(Streamed, LossesAgreeWithThoseOfShowersInMemory) {
  const calo::TrainResult in_memory = train(TrainingData(showers_), {}), streaming = train(streamed(), {});
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_NEAR(streaming.history[i].loss / in_memory.history[i].loss, 1, 0.05);
}

}  // namespace
