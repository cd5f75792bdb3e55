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
#include "support/postgres_server.h"
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
void work(const std::string& file, std::int64_t trials, const std::function<void(const Trial&)>& linger) {
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

// The laws of a study, whichever database it is in.
class AnyStudy : public testing::TestWithParam<const char*> {
 protected:
  std::string place() const {
    return GetParam() == std::string("sqlite") ? (folder_.path() / "study").string()
                                               : test::PostgresServer::get().url("laws");
  }
  void TearDown() override {
    if (GetParam() != std::string("sqlite"))
      test::PostgresServer::get().sql("DROP SCHEMA IF EXISTS calopipe_study_laws CASCADE");
  }
  test::TempFolder folder_;
};
INSTANTIATE_TEST_SUITE_P(Databases, AnyStudy, testing::Values("sqlite", "postgres"),
                         [](const auto& info) { return std::string(info.param); });

// Four workers share 60 trials, and three of them are killed inside of a trial: all trials are done, once
// each.
TEST_P(AnyStudy, KilledWorkersLoseNoTrial) {
  const std::string file = place();
  const fs::path marks = folder_.path() / "marks", dead = folder_.path() / "dead";
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
TEST_P(AnyStudy, ATrialHasOneOwner) {
  const auto study = Study::create(place(), {});
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

TEST_P(AnyStudy, ATrialWhoseWorkersDieAgainAndAgainFails) {
  const auto study = Study::create(place(), {});
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(study->claim(study->join(), {.trials = 1, .lease_s = -1}, propose, {}).trial.number, 0);
  EXPECT_EQ(study->claim(study->join(), {.trials = 1, .lease_s = -1}, propose, {}).kind, Claim::Kind::kEnd);
  EXPECT_EQ(study->trials()[0].state, TrialState::kFailed);
  EXPECT_EQ(study->trials()[0].error, "its workers died");
}

TEST_P(AnyStudy, WhoLeavesGivesItsTrialBack) {
  const auto study = Study::create(place(), {});
  const std::string worker = study->join();
  study->claim(worker, {.trials = 2}, propose, {});
  study->leave(worker);
  EXPECT_EQ(study->trials()[0].state, TrialState::kWaiting);
  EXPECT_EQ(study->claim(study->join(), {.trials = 2}, propose, {}).trial.number, 0);
}

TEST_P(AnyStudy, AnErrorMayQuoteAnyBytes) {
  const auto study = Study::create(place(), {});
  Trial trial = study->claim(study->join(), {.trials = 1}, propose, {}).trial;
  trial.state = TrialState::kFailed;
  trial.error = "file \xff' \"";
  EXPECT_TRUE(study->record(trial));
  EXPECT_EQ(study->trials()[0].error, "file \uFFFD' \"");
}

TEST_P(AnyStudy, TheHistoryIsInTheOrderOfTheEnds) {
  const auto study = Study::create(place(), {});
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
  EXPECT_THAT(test::error_of<core::InputError>([&] { Study::open(missing.string()); }).message,
              HasSubstr("no such study"));
  EXPECT_FALSE(fs::exists(missing));
  core::write_file(text, std::string(5000, 'x'));
  EXPECT_THAT(test::error_of<core::InputError>([&] { Study::open(text.string()); }).message,
              HasSubstr("is not a study"));
  sqlite3* connection = nullptr;
  sqlite3_open(other.c_str(), &connection);
  sqlite3_exec(connection, "CREATE TABLE t (x)", nullptr, nullptr, nullptr);
  sqlite3_close(connection);
  EXPECT_THAT(test::error_of<core::InputError>([&] { Study::open(other.string()); }).message,
              HasSubstr("another program"));
  Study::create((folder.path() / "study").string(), {});
  EXPECT_THAT(test::error_of<core::UsageError>([&] {
                Study::create((folder.path() / "study").string(), {});
              }).message,
              HasSubstr("exists"));
  EXPECT_EQ(Study::list(folder.path().string()), std::vector<std::string>{"study"});
}

// Two processes finish trials while the server is killed and started again: nothing is lost or done twice,
// and the trial that ran meanwhile stays with its worker, although that gave no sign of life.
TEST(PostgresStudy, ARestartOfTheServerLosesNothing) {
  test::PostgresServer& server = test::PostgresServer::get();
  const test::TempFolder folder;
  const fs::path begun = folder.path() / "begun", away = folder.path() / "away",
                 back = folder.path() / "back";
  const std::string url = server.url("restart");
  Study::create(url, {});
  const auto wait_for = [](const fs::path& file) {
    while (!fs::exists(file)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  };
  std::vector<pid_t> workers;
  for (int i = 0; i < 2; ++i)
    workers.push_back(start([&] {
      work(url, 12, [&](const Trial& trial) {
        if (trial.number != 5) return;
        core::write_file(begun, "");
        wait_for(away);
      });
    }));
  wait_for(begun);
  server.kill();
  core::write_file(away, "");
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  server.up();
  for (const pid_t worker : workers) {
    int status = 0;
    waitpid(worker, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  const auto trials = Study::open(url)->trials();
  ASSERT_EQ(trials.size(), 12u);
  for (const Trial& trial : trials) {
    EXPECT_EQ(trial.state, TrialState::kDone);
    EXPECT_EQ(trial.attempt, 1);
  }
}

// One process with two objects: the connection breaks inside of a claim after its commit; the trial is still
// its own.
TEST(PostgresStudy, ATrialThatWasClaimedWithoutKnowingIsClaimedAgain) {
  test::PostgresServer& server = test::PostgresServer::get();
  const auto study = Study::create(server.url("lost_claim"), {}),
             other = Study::open(server.url("lost_claim"));
  const std::string worker = study->join();
  // As if the answer to this claim had been lost.
  ASSERT_EQ(other->claim(worker, {.trials = 2}, propose, {}).trial.number, 0);
  const Claim again = study->claim(worker, {.trials = 2}, propose, {});
  EXPECT_EQ(again.trial.number, 0);
  EXPECT_EQ(study->claim(worker, {.trials = 2}, propose, {}).trial.number, 1);
}

TEST(PostgresStudy, AServerThatStaysAwayIsNamedAfterTheWait) {
  test::PostgresServer& server = test::PostgresServer::get();
  const auto study = Study::create(server.url("away"), {}, 1);
  server.down();
  const auto details = test::error_of<core::UnavailableError>([&] { study->trials(); });
  server.up();
  EXPECT_THAT(details.message, HasSubstr("cannot be reached"));
  EXPECT_TRUE(study->trials().empty());  // the same object goes on
}

TEST(PostgresStudy, StudiesShareADatabase) {
  const test::PostgresServer& server = test::PostgresServer::get();
  Study::create(server.url("list-b"), {{"a", 2}});
  Study::create(server.url("list.A"), {{"a", 1}});
  EXPECT_EQ(Study::open(server.url("list-b"))->definition(), (nlohmann::json{{"a", 2}}));
  EXPECT_EQ(Study::open(server.url("list.A"))->definition(), (nlohmann::json{{"a", 1}}));
  EXPECT_THAT(Study::list(server.url("")), testing::IsSupersetOf({"list-b", "list.A"}));
}

TEST(PostgresStudy, AnotherUserMayLookAtIt) {
  test::PostgresServer& server = test::PostgresServer::get();
  Study::create(server.url("look"), {{"a", 1}});
  server.sql(
      "GRANT USAGE ON SCHEMA calopipe_study_look TO guest; "
      "GRANT SELECT ON ALL TABLES IN SCHEMA calopipe_study_look TO guest");
  const auto study = Study::open(server.url("look", "guest", "guest"));
  EXPECT_EQ(study->definition(), (nlohmann::json{{"a", 1}}));
  EXPECT_TRUE(study->trials().empty());
  EXPECT_THAT(test::error_of<core::UnavailableError>([&] { study->join(); }).message,
              HasSubstr("lacks a permission"));
}

TEST(PostgresStudy, MistakesAreNamedWithoutThePassword) {
  test::PostgresServer& server = test::PostgresServer::get();
  const auto study = Study::create(server.url("mistakes"), {});
  EXPECT_THAT(study->file(),
              testing::AllOf(HasSubstr("worker@127.0.0.1"), testing::Not(HasSubstr("s3cret"))));
  const auto expect = [](const core::ErrorDetails& details, const char* message) {
    EXPECT_THAT(details.message, HasSubstr(message));
    for (const std::string& text : {details.message, details.file.string(), details.hint})
      EXPECT_THAT(text, testing::Not(testing::AnyOf(HasSubstr("s3cret"), HasSubstr("wr0ng"))));
  };
  const auto unavailable = [&](const std::string& url) {
    return test::error_of<core::UnavailableError>([&] { Study::open(url); });
  };
  const auto wrong = [&](const std::string& url) {
    return test::error_of<core::InputError>([&] { Study::open(url); });
  };
  const auto usage = [&](const std::string& url) {
    return test::error_of<core::UsageError>([&] { Study::open(url); });
  };
  expect(unavailable(server.url("mistakes", "wr0ng")), "refuses the user or the password");
  expect(unavailable("postgresql://worker:wr0ng@127.0.0.1:1/studies?study=a"), "cannot be reached");
  expect(wrong(server.url("mistakes", "s3cret%2Fword", "worker", "nothing")), "no such database");
  expect(wrong(server.url("none")), "no such study");
  expect(usage(server.url("")), "names no study");
  expect(usage(server.url("a b")), "cannot be the name");
  expect(usage("postgresql://worker:wr0ng%@127.0.0.1/studies?study=a"), "cannot be read");
  expect(unavailable(server.url("mistakes", "guest", "guest")), "lacks a permission");
  expect(
      test::error_of<core::UnavailableError>([&] { Study::create(server.url("g", "guest", "guest"), {}); }),
      "lacks a permission");
  expect(test::error_of<core::UsageError>([&] { Study::create(server.url("mistakes"), {}); }), "exists");
  server.sql("UPDATE calopipe_study_mistakes.format SET version = 9");
  expect(wrong(server.url("mistakes")), "is a study of version 9");
  server.sql("CREATE SCHEMA calopipe_study_other AUTHORIZATION worker");
  expect(wrong(server.url("other")), "is not a study");
}

TEST(PostgresStudy, ThePasswordMayComeFromTheEnvironment) {
  const test::PostgresServer& server = test::PostgresServer::get();
  ::setenv("PGPASSFILE", "/dev/null", 1);
  EXPECT_THAT(
      test::error_of<core::UnavailableError>([&] { Study::create(server.url("env", ""), {}); }).message,
      HasSubstr("asks for a password"));
  ::setenv("PGPASSWORD", "s3cret/word", 1);
  Study::create(server.url("env", ""), {});
  ::unsetenv("PGPASSWORD");
  ::unsetenv("PGPASSFILE");
}

// Machines that share a database may have the same name.
TEST(Study, AWorkerNamesItsMachine) {
  EXPECT_EQ(tune::machine_of("node-7.cern.ch-123-00ab12cd"), "node-7.cern.ch");
  EXPECT_EQ(tune::machine_of(""), "");
}

}  // namespace
