#include "kfp/local/run_logs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <thread>

#include "core/error.h"
#include "core/interrupt.h"
#include "kfp/local/sample_runs.h"
#include "support/temp_folder.h"

// Logs of tasks: of one, of all, the last lines, and while they grow.
namespace {

namespace fs = std::filesystem;
using kfp::local::LogOptions;
using kfp::local::RunRecord;
using kfp::local::State;
using kfp::local::Store;
using kfp::local::TaskRecord;
using testing::HasSubstr;

class RunLogs : public testing::Test {
 protected:
  std::string logs(const LogOptions& options) {
    std::string text;
    write_logs(*store, options, [&](std::string_view bytes) { text += bytes; });
    return text;
  }

  const test::TempFolder folder;
  const std::unique_ptr<Store> store = Store::open(folder / "store");
};

TEST_F(RunLogs, OneTaskAsItIs) {
  test::add_training(*store, 1.7e9, 0.5, "m");
  EXPECT_EQ(logs({.run = "latest", .task = "train"}), "epoch 1\nepoch 2\nepoch 3\n");
  EXPECT_EQ(logs({.run = "2023", .task = "Training of the VAE"}), "epoch 1\nepoch 2\nepoch 3\n");
  EXPECT_EQ(logs({.run = "latest", .task = "validate"}), "reading\ndone");
  EXPECT_EQ(logs({.run = "latest", .task = "train", .tail = 2}), "epoch 2\nepoch 3\n");
  EXPECT_EQ(logs({.run = "latest", .task = "validate", .tail = 1, .follow = true}), "done");
  EXPECT_EQ(logs({.run = "latest", .task = "train", .tail = 0}), "");
}

TEST_F(RunLogs, AllTasksBehindTheirNames) {
  test::add_training(*store, 1.7e9, 0.5, "m");
  EXPECT_EQ(logs({.run = "latest"}),
            "train | epoch 1\ntrain | epoch 2\ntrain | epoch 3\nvalidate | reading\nvalidate | done\n");
  EXPECT_EQ(logs({.run = "latest", .tail = 1, .follow = true}), "train | epoch 3\nvalidate | done\n");
}

TEST_F(RunLogs, TellsWhyThereIsNone) {
  const RunRecord run = test::add_training(*store, 1.7e9, 0.5, "m");
  const auto message = [&](const LogOptions& options) -> std::string {
    try {
      logs(options);
    } catch (const core::InputError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(message({.run = "latest", .task = "convert"}), HasSubstr("convert has no log: it is SKIPPED"));
  EXPECT_THAT(message({.run = "latest", .task = "prepare", .follow = true}),
              HasSubstr("from run 20200101-000000-abcd"));
  fs::remove(run.folder / "logs/train.log");
  EXPECT_THAT(message({.run = "latest", .task = "train"}), HasSubstr("train has no log"));
  EXPECT_EQ(logs({.run = "latest"}), "validate | reading\nvalidate | done\n");
  EXPECT_THROW(logs({.run = "latest", .task = "trian"}), core::UsageError);
  EXPECT_THROW(logs({.run = "none"}), core::UsageError);
}

TEST_F(RunLogs, TailReadsLargeFilesFromTheirEnd) {
  const fs::path file = folder / "big.log";
  std::ofstream(file) << std::string(200'000, 'a') << "\n" << std::string(100'000, 'b') << "\nlast\n";
  EXPECT_EQ(kfp::local::tail_offset(file, 1), 300'002u);
  EXPECT_EQ(kfp::local::tail_offset(file, 2), 200'001u);
  EXPECT_EQ(kfp::local::tail_offset(file, 3), 0u);
  EXPECT_EQ(kfp::local::tail_offset(file, 1000), 0u);
  EXPECT_EQ(kfp::local::tail_offset(file, 0), 300'007u);
  std::ofstream(file, std::ios::trunc) << "\n\n";
  EXPECT_EQ(kfp::local::tail_offset(file, 1), 1u);
  std::ofstream(file, std::ios::trunc).flush();
  EXPECT_EQ(kfp::local::tail_offset(file, 5), 0u);
}

// A reader in a thread of its own; the test writes the next piece when the one before has arrived.
TEST_F(RunLogs, FollowsUntilTheRunIsOver) {
  RunRecord run = store->create_run({.state = State::kRunning});
  TaskRecord first{.run_id = run.id, .path = "first", .state = State::kRunning, .log = run.folder / "1.log"};
  store->put_task(first);
  std::mutex mutex;
  std::condition_variable arrived;
  std::string text;
  std::thread reader([&] {
    const auto own = Store::open(folder / "store");
    write_logs(*own, {.run = run.id, .follow = true}, [&](std::string_view bytes) {
      const std::lock_guard lock(mutex);
      text += bytes;
      arrived.notify_all();
    });
  });
  const auto wait_for = [&](const std::string& expected) {
    std::unique_lock lock(mutex);
    arrived.wait_for(lock, std::chrono::minutes(1), [&] { return text == expected; });
    EXPECT_EQ(text, expected);
  };
  std::ofstream log(first.log);
  log << "one\ntw" << std::flush;
  wait_for("first | one\n");
  log << "o\n" << std::flush;
  wait_for("first | one\nfirst | two\n");
  // A second task that appears later, with another try of it: a new file.
  TaskRecord second{
      .run_id = run.id, .path = "second", .state = State::kRunning, .log = run.folder / "2.log"};
  std::ofstream(second.log) << "try 1\n";
  store->put_task(second);
  wait_for("first | one\nfirst | two\nsecond | try 1\n");
  second.log = run.folder / "2b.log";
  std::ofstream(second.log) << "try 2\nno end";
  store->put_task(second);
  wait_for("first | one\nfirst | two\nsecond | try 1\nsecond | try 2\n");
  log << "end\n" << std::flush;
  run.state = State::kSucceeded;
  store->update_run(run);
  reader.join();
  EXPECT_EQ(text, "first | one\nfirst | two\nsecond | try 1\nsecond | try 2\nfirst | end\nsecond | no end\n");
}

TEST_F(RunLogs, FollowingEndsWithAnInterrupt) {
  const RunRecord run = store->create_run({.state = State::kRunning});
  store->put_task({.run_id = run.id, .path = "t", .state = State::kPending});
  core::set_interrupt(true);
  EXPECT_EQ(logs({.run = run.id, .task = "t", .follow = true}), "");
  core::set_interrupt(false);
}

}  // namespace
