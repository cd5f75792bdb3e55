#include "core/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <stdexcept>
#include <vector>

namespace {

using core::ThreadPool;

TEST(ThreadPool, CallsTheBodyOnceForEachIndex) {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    std::vector<std::atomic<int>> calls(1000);
    pool.for_each(calls.size(), [&](std::size_t i) { ++calls[i]; });
    for (const auto& call : calls) EXPECT_EQ(call, 1);
  }
}

TEST(ThreadPool, LoopsInsideLoopsAndFromSeveralThreadsEnd) {
  ThreadPool pool(3);
  std::atomic<int> calls{0};
  const auto nested = [&] {
    pool.for_each(20, [&](std::size_t) { pool.for_each(20, [&](std::size_t) { ++calls; }); });
  };
  std::thread other(nested);
  nested();
  other.join();
  EXPECT_EQ(calls, 800);
}

TEST(ThreadPool, ThrowsWhatTheBodyThrewAndGoesOnWorking) {
  ThreadPool pool(2);
  EXPECT_THROW(pool.for_each(100,
                             [](std::size_t i) {
                               if (i == 13) throw std::runtime_error("13");
                             }),
               std::runtime_error);
  std::atomic<int> calls{0};
  pool.for_each(10, [&](std::size_t) { ++calls; });
  EXPECT_EQ(calls, 10);
}

}  // namespace
