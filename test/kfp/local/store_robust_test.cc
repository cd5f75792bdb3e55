#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <thread>

#include "core/error.h"
#include "core/staged_output.h"
#include "kfp/local/detail/sqlite_store.h"
#include "support/temp_folder.h"

// The store under several writers, kills, full disks and files that are none.
namespace {

namespace fs = std::filesystem;
using kfp::local::RunRecord;
using kfp::local::SqliteStore;
using kfp::local::State;
using kfp::local::Store;
using kfp::local::TaskRecord;
using testing::HasSubstr;

// Runs `body` in a process of its own. @return its exit code; 99 where it threw
int in_child(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    int code = 99;
    try {
      code = body();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "child: %s\n", error.what());
    }
    _exit(code);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

void sql(const fs::path& file, const std::string& text) {
  sqlite3* connection = nullptr;
  ASSERT_EQ(sqlite3_open(file.c_str(), &connection), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(connection, text.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(connection);
  sqlite3_close(connection);
}

std::string integrity(const fs::path& file) {
  sqlite3* connection = nullptr;
  sqlite3_open(file.c_str(), &connection);
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v2(connection, "PRAGMA integrity_check", -1, &statement, nullptr);
  std::string text = "no answer";
  if (sqlite3_step(statement) == SQLITE_ROW)
    text = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
  sqlite3_finalize(statement);
  sqlite3_close(connection);
  return text;
}

void write_tasks(Store& store, const std::string& run, const std::string& prefix, int count) {
  for (int i = 0; i < count; ++i) {
    TaskRecord task{.run_id = run, .path = prefix + std::to_string(i), .state = State::kRunning};
    store.put_task(task);
    task.state = State::kSucceeded;
    store.put_task(task);
    store.put_artifact({.run_id = run, .task_path = task.path, .name = "a", .path = "/none"});
  }
}

class StoreJournal : public testing::TestWithParam<core::SqliteJournal> {};

// Eight processes, of four threads each on one Store, begin at once on a store that none of them finds made.
TEST_P(StoreJournal, ProcessesAndThreadsWriteAtOnce) {
  constexpr int kProcesses = 8, kThreads = 4, kTasks = 15;
  const test::TempFolder folder;
  fs::create_directories(folder / "store/runs");
  int gate[2];
  ASSERT_EQ(pipe(gate), 0);
  std::vector<pid_t> children;
  for (int process = 0; process < kProcesses; ++process) {
    const pid_t child = fork();
    if (child == 0) {
      close(gate[1]);
      char byte = 0;
      (void)!read(gate[0], &byte, 1);  // until the parent closes it
      int code = 99;
      try {
        SqliteStore store(folder / "store", GetParam());
        const std::string run = store.create_run({.name = std::to_string(process)}).id;
        std::atomic<int> failed{0};
        std::vector<std::thread> threads;
        threads.reserve(kThreads);
        for (int thread = 0; thread < kThreads; ++thread)
          threads.emplace_back([&, thread] {
            try {
              write_tasks(store, run, std::to_string(thread) + "/", kTasks);
            } catch (const std::exception& error) {
              std::fprintf(stderr, "thread: %s\n", error.what());
              ++failed;
            }
          });
        for (std::thread& thread : threads) thread.join();
        code = failed;
      } catch (const std::exception& error) {
        std::fprintf(stderr, "process: %s\n", error.what());
      }
      _exit(code);
    }
    children.push_back(child);
  }
  close(gate[0]);
  close(gate[1]);
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  const auto store = Store::open(folder / "store");
  const auto runs = store->runs();
  ASSERT_EQ(runs.size(), static_cast<std::size_t>(kProcesses));
  for (const RunRecord& run : runs) {
    const auto tasks = store->tasks(run.id);
    EXPECT_EQ(tasks.size(), static_cast<std::size_t>(kThreads * kTasks));
    for (const TaskRecord& task : tasks) EXPECT_EQ(task.state, State::kSucceeded);
    EXPECT_EQ(store->artifacts(run.id).size(), static_cast<std::size_t>(kThreads * kTasks));
  }
}

INSTANTIATE_TEST_SUITE_P(Journals, StoreJournal,
                         testing::Values(core::SqliteJournal::kWriteAhead, core::SqliteJournal::kRollback),
                         [](const auto& journal) {
                           return journal.param == core::SqliteJournal::kWriteAhead ? "WriteAhead"
                                                                                    : "Rollback";
                         });

// Whichever process claims a run of a dead runner first gets it, and only that one.
TEST(StoreRobust, OneOfManyClaimsARun) {
  const test::TempFolder folder;
  const auto store = Store::open(folder / "store");
  const std::string id = store->create_run({.state = State::kCanceled}).id;
  std::vector<pid_t> children;
  int gate[2], done[2];
  ASSERT_EQ(pipe(gate), 0);
  ASSERT_EQ(pipe(done), 0);
  for (int i = 0; i < 6; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      char answer = 'e';
      try {
        Store::open(folder / "store")->claim_run(id);
        answer = 'y';
      } catch (const core::UsageError&) {
        answer = 'n';
      } catch (...) {
      }
      (void)!write(done[1], &answer, 1);
      close(gate[1]);
      (void)!read(gate[0], &answer, 1);  // the winner must live until all have tried
      _exit(0);
    }
    children.push_back(child);
  }
  std::string answers(6, ' ');
  for (char& answer : answers) ASSERT_EQ(read(done[0], &answer, 1), 1);
  close(gate[1]);
  for (const pid_t child : children) waitpid(child, nullptr, 0);
  EXPECT_EQ(std::count(answers.begin(), answers.end(), 'y'), 1) << answers;
  EXPECT_EQ(std::count(answers.begin(), answers.end(), 'n'), 5) << answers;
}

// Killed at some moment of its writing, twelve times: what was put is there, the rest is whole or not there.
TEST(StoreRobust, KilledWriterLeavesAReadableStore) {
  const test::TempFolder folder;
  Store::open(folder / "store");
  for (int round = 0; round < 12; ++round) {
    int written[2];
    ASSERT_EQ(pipe(written), 0);
    const pid_t child = fork();
    if (child == 0) {
      const auto store = Store::open(folder / "store");
      const std::string run = store->create_run({.state = State::kRunning}).id;
      const std::string big(20'000, 'x');
      for (int i = 0;; ++i) {
        store->put_task({.run_id = run, .path = std::to_string(i), .inputs = {{"x", big}}});
        (void)!write(written[1], "x", 1);
      }
    }
    close(written[1]);
    int known = 0;
    char byte = 0;
    while (known < 5 + round && read(written[0], &byte, 1) == 1) ++known;
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    while (read(written[0], &byte, 1) == 1) ++known;
    close(written[0]);
    const auto store = Store::open(folder / "store");
    const RunRecord run = store->run("latest");
    EXPECT_EQ(run.state, State::kCanceled);
    const auto tasks = store->tasks(run.id);
    EXPECT_GE(tasks.size(), static_cast<std::size_t>(known));
    EXPECT_LE(tasks.size(), static_cast<std::size_t>(known + 1));
    for (const TaskRecord& task : tasks) EXPECT_EQ(task.inputs.at("x").get<std::string>().size(), 20'000u);
    store->claim_run(run.id);
    EXPECT_EQ(store->run("latest").state, State::kRunning);
  }
  EXPECT_EQ(integrity(folder / "store/runs.db"), "ok");
}

TEST(StoreRobust, FullDiskIsToldAndLosesNothing) {
  const test::TempFolder folder;
  const std::string id = Store::open(folder / "store")->create_run({.name = "before"}).id;
  EXPECT_EQ(in_child([&] {
              const auto store = Store::open(folder / "store");
              std::signal(SIGXFSZ, SIG_IGN);
              const rlimit limit{.rlim_cur = 300'000, .rlim_max = 300'000};
              setrlimit(RLIMIT_FSIZE, &limit);
              try {
                for (int i = 0; i < 1000; ++i)
                  store->put_task(
                      {.run_id = id, .path = std::to_string(i), .inputs = {{"x", std::string(10'000, 'x')}}});
              } catch (const core::UnavailableError& error) {
                return std::string(error.what()).find("disk") != std::string::npos ? 0 : 2;
              }
              return 1;
            }),
            0);
  const auto store = Store::open(folder / "store");
  EXPECT_EQ(store->run(id).name, "before");
  EXPECT_GT(store->tasks(id).size(), 2u);
  store->put_task({.run_id = id, .path = "after"});
  EXPECT_EQ(store->tasks(id).back().path, "after");
}

template <class Error>
void expect_refused(const fs::path& folder, const std::string& words) {
  try {
    Store::open(folder);
    ADD_FAILURE() << "was opened";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr(words));
  }
}

TEST(StoreRobust, RefusesWhatIsNoStore) {
  const test::TempFolder folder;
  core::write_file(folder / "text/runs.db", std::string(5000, 't'));
  expect_refused<core::InputError>(folder / "text", "runs.db: is not a store of runs, or is damaged");
  EXPECT_EQ(core::read_file(folder / "text/runs.db"), std::string(5000, 't'));

  fs::create_directories(folder / "other");
  sql(folder / "other/runs.db", "CREATE TABLE birds (name TEXT)");
  const std::string before = core::read_file(folder / "other/runs.db");
  expect_refused<core::InputError>(folder / "other", "another program");
  EXPECT_EQ(core::read_file(folder / "other/runs.db"), before);

  core::write_file(folder / "file", "x");
  expect_refused<core::InputError>(folder / "file", "is a file");
  fs::create_directories(folder / "nested/runs.db");
  expect_refused<core::UnavailableError>(folder / "nested", "cannot be opened");
}

TEST(StoreRobust, RefusesNewerVersions) {
  const test::TempFolder folder;
  Store::open(folder / "store")->create_run({});
  sql(folder / "store/runs.db", "PRAGMA user_version = 2");
  expect_refused<core::InputError>(folder / "store",
                                   "is a store of runs of version 2, but this calopipe knows version 1");
}

TEST(StoreRobust, TellsDamage) {
  const test::TempFolder folder;
  {
    const auto store = Store::open(folder / "store");
    const std::string run = store->create_run({}).id;
    write_tasks(*store, run, "t", 200);
  }
  // Every page but the first, which opening reads.
  {
    const auto size = static_cast<std::streamoff>(fs::file_size(folder / "store/runs.db"));
    ASSERT_GT(size, 8192);
    std::fstream file(folder / "store/runs.db", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    file << std::string(static_cast<std::size_t>(size - 4096), '\xA5');
  }
  const auto store = Store::open(folder / "store");
  EXPECT_THROW(store->runs(), core::InputError);
  EXPECT_THROW(store->create_run({}), core::InputError);
  EXPECT_TRUE(fs::is_empty(folder / "store/runs") ||
              std::distance(fs::directory_iterator(folder / "store/runs"), {}) == 1);

  Store::open(folder / "json")->create_run({});
  sql(folder / "json/runs.db", "UPDATE runs SET parameters = '{'");
  EXPECT_THROW(Store::open(folder / "json")->runs(), core::InputError);
  sql(folder / "json/runs.db", "UPDATE runs SET parameters = '{}', state = 'LOST'");
  EXPECT_THROW(Store::open(folder / "json")->runs(), core::InputError);
  // Remote runs without a complete place.
  for (const std::string place :
       {"{}", "7", "null", R"({"context":"c","server":"s","state":1,"seen_s":2})"}) {
    sql(folder / "json/runs.db", "UPDATE runs SET state = 'RUNNING', options = '{\"remote\":" + place + "}'");
    EXPECT_THROW(Store::open(folder / "json")->runs(), core::InputError) << place;
  }
}

TEST(StoreRobust, RefusesPlacesThatCannotBeWritten) {
  expect_refused<core::UnavailableError>("/proc/calopipe", "the folder of the store cannot be created");
  EXPECT_THROW(Store::open(""), core::UsageError);
  // As somebody who is not root, whom permissions do not stop.
  const test::TempFolder folder;
  Store::open(folder / "store")->create_run({});
  fs::create_directory(folder / "empty");
  fs::permissions(folder.path(), fs::perms(0755));
  for (const char* name : {"empty", "store", "store/runs"}) fs::permissions(folder / name, fs::perms(0555));
  fs::permissions(folder / "store/runs.db", fs::perms(0444));
  for (const char* name : {"empty", "store"})
    EXPECT_EQ(in_child([&] {
                if (geteuid() == 0 && setuid(65534) != 0) return 97;
                try {
                  Store::open(folder / name);
                } catch (const core::UnavailableError& error) {
                  return error.details().hint.find("may write to") != std::string::npos ? 0 : 2;
                }
                return 1;
              }),
              0)
        << name;
  for (const char* name : {"empty", "store", "store/runs"}) fs::permissions(folder / name, fs::perms(0755));
}

}  // namespace
