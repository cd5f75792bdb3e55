#include "parallel/group.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <mutex>
#include <numeric>

#include "core/error.h"
#include "support/ranks.h"

namespace {

using core::ProcessGroup;
using testing::Each;
using testing::HasSubstr;

TEST(Group, SumsBroadcastsAndGathers) {
  for (const int size : {1, 2, 3, 5}) {
    const auto messages = test::in_ranks(size, [&](ProcessGroup& group) {
      ASSERT_EQ(group.size(), size);
      const int rank = group.rank();
      for (const std::size_t count : {1, 2, 7, 1000, 300'000}) {
        std::vector<float> floats(count);
        std::iota(floats.begin(), floats.end(), static_cast<float>(rank));
        std::vector<double> doubles(floats.begin(), floats.end());
        group.sum(std::span(floats));
        group.sum(std::span(doubles));
        const double last = size * (static_cast<double>(count) - 1) + size * (size - 1) / 2.0;
        EXPECT_EQ(floats.back(), static_cast<float>(last));
        EXPECT_EQ(doubles.back(), last);
      }
      std::vector<char> text(20, static_cast<char>('a' + rank));
      group.broadcast(std::as_writable_bytes(std::span(text)));
      EXPECT_THAT(text, Each('a'));
      // Shares of different sizes, one of which is empty.
      std::vector<std::size_t> counts;
      for (int i = 0; i < size; ++i) counts.push_back(static_cast<std::size_t>(i == 1 ? 0 : i + 3));
      std::vector<float> parts(std::accumulate(counts.begin(), counts.end(), std::size_t{0}), -1);
      const auto begin = std::accumulate(counts.begin(), counts.begin() + rank, std::size_t{0});
      std::fill_n(parts.begin() + static_cast<std::ptrdiff_t>(begin), counts[static_cast<std::size_t>(rank)],
                  static_cast<float>(rank));
      group.gather(parts, counts);
      std::vector<float> expected;
      for (int i = 0; i < size; ++i)
        expected.insert(expected.end(), counts[static_cast<std::size_t>(i)], static_cast<float>(i));
      EXPECT_EQ(parts, expected);
      group.sum(std::span<float>());
    });
    EXPECT_THAT(messages, Each(""));
  }
}

// Sums of floats depend on their order: it must be the same everywhere and every time.
TEST(Group, SumsAreTheSameToTheBitInAllProcessesAndEveryTime) {
  std::mutex mutex;
  std::set<std::vector<float>> results;
  for (int repetition = 0; repetition < 3; ++repetition)
    EXPECT_THAT(test::in_ranks(3,
                               [&](ProcessGroup& group) {
                                 std::vector<float> values(10'001);
                                 for (std::size_t i = 0; i < values.size(); ++i)
                                   values[i] = std::sin(static_cast<float>(i) +
                                                        0.1f * static_cast<float>(group.rank()));
                                 group.sum(std::span(values));
                                 const std::lock_guard lock(mutex);
                                 results.insert(values);
                               }),
                Each(""));
  EXPECT_EQ(results.size(), 1u);
}

TEST(Group, SumsFloatsAndDoublesInOneOperation) {
  for (const int size : {1, 3})
    EXPECT_THAT(test::in_ranks(size,
                               [&](ProcessGroup& group) {
                                 std::vector<float> floats = {1, 2};
                                 std::vector<double> doubles = {1.0 / 3, -1e-9, 1e30, 0};
                                 core::sum_both(group, floats, doubles);
                                 EXPECT_THAT(floats, testing::ElementsAre(size, 2 * size));
                                 EXPECT_DOUBLE_EQ(doubles[0], size / 3.0);
                                 EXPECT_DOUBLE_EQ(doubles[1], -1e-9 * size);
                                 EXPECT_DOUBLE_EQ(doubles[2], 1e30 * size);
                                 EXPECT_EQ(doubles[3], 0);
                               }),
                Each(""));
}

TEST(Group, NamesTheProcessThatIsGone) {
  for (const int gone : {0, 1, 2}) {
    const auto messages = test::in_ranks(3, [&](ProcessGroup& group) {
      std::vector<float> values(1000);
      group.sum(std::span(values));
      if (group.rank() == gone) throw std::runtime_error("a problem of its own");
      group.sum(std::span(values));
    });
    for (int rank = 0; rank < 3; ++rank)
      EXPECT_THAT(messages[static_cast<std::size_t>(rank)],
                  HasSubstr(rank == gone ? "a problem of its own" : "rank " + std::to_string(gone)))
          << rank;
  }
}

TEST(Group, NamesTheProcessThatDoesNotAnswer) {
  const auto messages = test::in_ranks(3,
                                       [](ProcessGroup& group) {
                                         std::vector<float> values(1000);
                                         if (group.rank() == 1)
                                           std::this_thread::sleep_for(std::chrono::seconds(9));
                                         group.sum(std::span(values));
                                       },
                                       {.operation = std::chrono::seconds(1)});
  EXPECT_THAT(messages[0], HasSubstr("rank 1"));
  EXPECT_THAT(messages[0], HasSubstr("does not answer"));
  EXPECT_THAT(messages[2], HasSubstr("rank 1"));
  EXPECT_THAT(messages[1], testing::Not(""));
}

TEST(Group, NamesTheProcessesThatDoNotCome) {
  const parallel::Meeting meeting{.address = "127.0.0.1", .port = test::free_port()};
  const parallel::Limits limits{.join = std::chrono::seconds(1)};
  try {
    parallel::join({.rank = 0, .size = 3, .meeting = meeting}, limits);
    FAIL();
  } catch (const core::UnavailableError& error) {
    EXPECT_THAT(error.what(), HasSubstr("of 3 processes, ranks 1, 2 have not come"));
  }
  try {
    parallel::join({.rank = 1, .size = 3, .meeting = meeting}, limits);
    FAIL();
  } catch (const core::UnavailableError& error) {
    EXPECT_THAT(error.what(), HasSubstr("rank 1 of 3 cannot reach rank 0"));
  }
}

TEST(Group, RefusesARankThatIsThereTwiceAndAnotherSize) {
  const parallel::Meeting meeting{.address = "127.0.0.1", .port = test::free_port()};
  const parallel::Limits limits{.join = std::chrono::seconds(3)};
  std::vector<std::string> messages(3);
  const auto start = [&](std::size_t at, int rank, int size) {
    return std::thread([&, at, rank, size] {
      try {
        parallel::join({.rank = rank, .size = size, .meeting = meeting, .said_by = "RANK"}, limits);
      } catch (const std::exception& error) {
        messages[at] = error.what();
      }
    });
  };
  std::thread first = start(0, 0, 3);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  std::thread twice = start(1, 2, 4);
  twice.join();
  std::thread other = start(2, 7, 3);
  other.join();
  first.join();
  EXPECT_THAT(messages[1], HasSubstr("rank 2 of 4"));
  EXPECT_THAT(messages[2], HasSubstr("does not belong to the 3 processes"));
  EXPECT_THAT(messages[0], HasSubstr("have not come"));
}

}  // namespace
