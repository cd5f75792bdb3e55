#include "tune/study.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <map>
#include <thread>

#include "core/staged_output.h"
#include "support/error_of.h"
#include "support/temp_folder.h"

// Studies that several processes share, some of which are killed.
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using tune::Claim;
using tune::Study;
using tune::Trial;
using tune::TrialState;

std::optional<tune::Proposal> propose(const std::vector<Trial>&, std::int64_t number) {
  return tune::Proposal{.parameters = {{"x", number}}};
}

// Claims and finishes trials until the study ends; waits in each trial as long as `linger` says.
void work(const fs::path& file, std::int64_t trials, const std::function<void(const Trial&)>& linger) {
  const auto study = Study::open(file);
  const std::string worker = study->join();
  for (;;) {
    Claim claim = study->claim(worker, {.trials = trials, .deaths = 10}, propose, {});
    if (claim.kind == Claim::Kind::kEnd) break;
    if (claim.kind == Claim::Kind::kWait) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      continue;
    }
    linger(claim.trial);
    claim.trial.state = TrialState::kDone;
    claim.trial.values = {static_cast<double>(claim.trial.number)};
    claim.trial.errors = {0};
    study->record(claim.trial);
  }
  study->leave(worker);
}

pid_t start(const std::function<void()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    int code = 0;
    try {
      body();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "child: %s\n", error.what());
      code = 99;
    }
    _exit(code);
  }
  return child;
}

// Four workers share 60 trials, and three of them are killed inside of a trial: all trials are done, once
// each.
TEST(Study, KilledWorkersLoseNoTrial) {
  const test::TempFolder folder;
  const fs::path file = folder.path() / "study", marks = folder.path() / "marks",
                 dead = folder.path() / "dead";
  fs::create_directory(marks);
  fs::create_directory(dead);
  Study::create(file, {{"a", 1}});
  std::vector<pid_t> workers;
  for (int i = 0; i < 4; ++i)
    workers.push_back(start([&] {
      work(file, 60, [&](const Trial& trial) {
        // A victim dies in its fourth trial; the others are not done before that.
        static int count = 0;
        if (i > 0 && ++count == 4) {
          core::write_file(dead / std::to_string(i), "");
          kill(getpid(), SIGKILL);
        }
        while (i == 0 && trial.number >= 20 && std::distance(fs::directory_iterator(dead), {}) < 3)
          std::this_thread::sleep_for(std::chrono::milliseconds(5));
        core::write_file(marks / (std::to_string(trial.number) + "-" + std::to_string(trial.attempt)), "");
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      });
    }));
  int killed = 0;
  for (const pid_t worker : workers) {
    int status = 0;
    waitpid(worker, &status, 0);
    killed += WIFSIGNALED(status) ? 1 : 0;
    EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
  }
  EXPECT_EQ(killed, 3);
  const auto trials = Study::open(file)->trials();
  ASSERT_EQ(trials.size(), 60u);
  std::int64_t repeated = 0;
  for (const Trial& trial : trials) {
    EXPECT_EQ(trial.state, TrialState::kDone);
    EXPECT_EQ(trial.values, std::vector<double>{static_cast<double>(trial.number)});
    repeated += trial.attempt - 1;
    EXPECT_TRUE(fs::exists(marks / (std::to_string(trial.number) + "-" + std::to_string(trial.attempt))));
  }
  EXPECT_EQ(repeated, 3);  // only the trials of the dead were run again
  EXPECT_EQ(std::distance(fs::directory_iterator(marks), {}), 60);
}

// A worker that was silent for longer than its lease has lost its trial, and cannot record it any more.
TEST(Study, ATrialHasOneOwner) {
  const test::TempFolder folder;
  const auto study = Study::create(folder.path() / "study", {});
  const std::string slow = study->join(), fast = study->join();
  Claim first = study->claim(slow, {.trials = 1}, propose, {});
  ASSERT_EQ(first.kind, Claim::Kind::kTrial);
  EXPECT_EQ(study->claim(fast, {.trials = 1}, propose, {}).kind, Claim::Kind::kWait);
  // A lease below 0 ends at once; the worker that asks gives a sign of life only if it beats.
  Claim second = study->claim(fast, {.trials = 1, .lease_s = -1}, propose, {});
  ASSERT_EQ(second.kind, Claim::Kind::kTrial);
  EXPECT_EQ(second.trial.number, 0);
  EXPECT_EQ(second.trial.attempt, 2);
  first.trial.state = second.trial.state = TrialState::kDone;
  first.trial.values = first.trial.errors = {1};
  second.trial.values = second.trial.errors = {2};
  EXPECT_FALSE(study->record(first.trial));
  EXPECT_FALSE(study->add_to_curve(first.trial, 1, 1.0));
  EXPECT_TRUE(study->record(second.trial));
  EXPECT_FALSE(study->record(second.trial));  // done once
  EXPECT_EQ(study->trials()[0].values, std::vector<double>{2});
}

TEST(Study, ATrialWhoseWorkersDieAgainAndAgainFails) {
  const test::TempFolder folder;
  const auto study = Study::create(folder.path() / "study", {});
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(study->claim(study->join(), {.trials = 1, .lease_s = -1}, propose, {}).trial.number, 0);
  EXPECT_EQ(study->claim(study->join(), {.trials = 1, .lease_s = -1}, propose, {}).kind, Claim::Kind::kEnd);
  EXPECT_EQ(study->trials()[0].state, TrialState::kFailed);
  EXPECT_EQ(study->trials()[0].error, "its workers died");
}

TEST(Study, WhoLeavesGivesItsTrialBack) {
  const test::TempFolder folder;
  const auto study = Study::create(folder.path() / "study", {});
  const std::string worker = study->join();
  study->claim(worker, {.trials = 2}, propose, {});
  study->leave(worker);
  EXPECT_EQ(study->trials()[0].state, TrialState::kWaiting);
  EXPECT_EQ(study->claim(study->join(), {.trials = 2}, propose, {}).trial.number, 0);
}

TEST(Study, TheHistoryIsInTheOrderOfTheEnds) {
  const test::TempFolder folder;
  const auto study = Study::create(folder.path() / "study", {});
  const std::string worker = study->join();
  std::vector<Trial> trials;
  for (int i = 0; i < 3; ++i) trials.push_back(study->claim(worker, {.trials = 3}, propose, {}).trial);
  for (const std::size_t i : {2, 0}) {
    trials[i].state = TrialState::kDone;
    trials[i].values = trials[i].errors = {1.0};
    EXPECT_TRUE(study->record(trials[i]));
  }
  const auto history = tune::history_of(study->trials(), [](const Trial& trial) { return trial.values; });
  EXPECT_EQ(history[0].number, 2);
  EXPECT_EQ(history[1].number, 0);
  EXPECT_EQ(history[2].number, 1);
  EXPECT_EQ(history[2].state, tune::Observation::State::kRunning);
}

TEST(Study, WrongFilesAreNamed) {
  const test::TempFolder folder;
  const fs::path missing = folder.path() / "missing", text = folder.path() / "text",
                 other = folder.path() / "other";
  EXPECT_THAT(test::error_of<core::InputError>([&] { Study::open(missing); }).message,
              HasSubstr("no such study"));
  EXPECT_FALSE(fs::exists(missing));
  core::write_file(text, std::string(5000, 'x'));
  EXPECT_THAT(test::error_of<core::InputError>([&] { Study::open(text); }).message,
              HasSubstr("is not a study"));
  sqlite3* connection = nullptr;
  sqlite3_open(other.c_str(), &connection);
  sqlite3_exec(connection, "CREATE TABLE t (x)", nullptr, nullptr, nullptr);
  sqlite3_close(connection);
  EXPECT_THAT(test::error_of<core::InputError>([&] { Study::open(other); }).message,
              HasSubstr("another program"));
  Study::create(folder.path() / "study", {});
  EXPECT_THAT(test::error_of<core::UsageError>([&] { Study::create(folder.path() / "study", {}); }).message,
              HasSubstr("exists"));
}

}  // namespace
