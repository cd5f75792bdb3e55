#include "kfp/local/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <limits>

#include "core/error.h"
#include "core/hash.h"
#include "core/liveness.h"
#include "core/staged_output.h"
#include "support/temp_folder.h"

// Runs, tasks and artifacts in a real SQLite file.
namespace {

namespace fs = std::filesystem;
using kfp::local::ArtifactRecord;
using kfp::local::RunRecord;
using kfp::local::State;
using kfp::local::Store;
using kfp::local::TaskRecord;
using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

// A process that lived and is no more.
std::int64_t dead_process() {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  int status = 0;
  waitpid(child, &status, 0);
  return child;
}

template <class Error>
std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

// Texts that would break out of quotes, or that a terminal or database may spoil.
const std::vector<std::string> kTexts = {
    "Robert'); DROP TABLE runs;--",  "\"quoted\" ? :name @x $1 %s", "Größe 大きさ 🎯 \u202e",
    std::string("zero\0inside", 11), "line\nline\ttab\r",           ""};

TEST(Store, KeepsEveryFieldOfARun) {
  const test::TempFolder folder;
  const auto store = Store::open(folder / "store");
  for (const std::string& text : kTexts) {
    RunRecord record{.pipeline = text,
                     .name = text,
                     .state = State::kSucceeded,
                     .created_s = 1.7e9 + 0.125,
                     .finished_s = 1.7e9 + 1.0 / 3,
                     .parameters = {{"text", text},
                                    {text, 1},
                                    {"int64", std::numeric_limits<std::int64_t>::min()},
                                    {"uint64", std::numeric_limits<std::uint64_t>::max()},
                                    {"double", 0.1},
                                    {"whole", 3.0},
                                    {"list", {1, nullptr, true}}},
                     .program_version = text,
                     .spec_sha256 = core::sha256(text),
                     .error = text,
                     .options = {{"cache", false}}};
    const RunRecord created = store->create_run(record);
    EXPECT_TRUE(fs::is_directory(created.folder));
    EXPECT_EQ(created.folder.parent_path(), store->folder() / "runs");
    const RunRecord read = Store::open(folder / "store")->run(created.id);
    EXPECT_EQ(read.id, created.id);
    EXPECT_EQ(read.pipeline, text);
    EXPECT_EQ(read.name, text);
    EXPECT_EQ(read.state, State::kSucceeded);
    EXPECT_EQ(read.created_s, record.created_s);
    EXPECT_EQ(read.finished_s, record.finished_s);
    EXPECT_EQ(read.parameters, record.parameters);
    EXPECT_EQ(read.parameters.dump(), record.parameters.dump());  // 3.0 stays a double
    EXPECT_EQ(read.program_version, text);
    EXPECT_EQ(read.spec_sha256, record.spec_sha256);
    EXPECT_EQ(read.folder, created.folder);
    EXPECT_EQ(read.error, text);
    EXPECT_EQ(read.options, record.options);
  }
  EXPECT_EQ(store->runs().size(), kTexts.size());
}

TEST(Store, IdsAreSortableAndUnique) {
  const test::TempFolder folder;
  const auto store = Store::open(folder / "store");
  EXPECT_THAT(store->create_run({.created_s = 1795512600}).id,
              testing::MatchesRegex("20261124-093000-[0-9a-f]{4}"));
  std::set<std::string> ids;
  for (int i = 0; i < 300; ++i) ids.insert(store->create_run({.created_s = 1.8e9}).id);
  EXPECT_EQ(ids.size(), 300u);
}

TEST(Store, UpdatesARun) {
  const test::TempFolder folder;
  const auto store = Store::open(folder / "store");
  RunRecord record = store->create_run({.pipeline = "training", .state = State::kRunning});
  EXPECT_EQ(record.runner_pid, getpid());
  EXPECT_EQ(store->run(record.id).state, State::kRunning);
  record.state = State::kFailed;
  record.finished_s = 5;
  record.error = "train: exit code 1";
  store->update_run(record);
  EXPECT_EQ(store->run(record.id).state, State::kFailed);
  EXPECT_EQ(store->run(record.id).error, "train: exit code 1");
  record.id = "20000101-000000-0000";
  EXPECT_THAT(message_of<core::UsageError>([&] { store->update_run(record); }),
              HasSubstr("there is no run \"20000101-000000-0000\""));
}

TEST(Store, FindsRunsByBeginningAndLatest) {
  const test::TempFolder folder;
  const auto store = Store::open(folder / "store");
  EXPECT_THAT(message_of<core::UsageError>([&] { store->run("latest"); }), HasSubstr("no runs yet"));
  const std::string first = store->create_run({.created_s = 1795512600}).id;
  const std::string second = store->create_run({.created_s = 1795512601}).id;
  const std::string old = store->create_run({.created_s = 1.7e9}).id;
  EXPECT_EQ(store->run("latest").id, second);
  EXPECT_EQ(store->run(first).id, first);
  EXPECT_EQ(store->run("2023").id, old);
  EXPECT_EQ(store->run(first.substr(0, 15)).id, first);
  EXPECT_THAT(message_of<core::UsageError>([&] { store->run("2026"); }),
              AllOf(HasSubstr("several"), HasSubstr(first), HasSubstr(second)));
  std::string typo = first;
  typo[5] = 'x';
  EXPECT_THAT(message_of<core::UsageError>([&] { store->run(typo); }), HasSubstr("did you mean 2026"));
  for (const char* none : {"", "%", "2023%", "_", "' OR 1=1 --"})
    EXPECT_THROW(store->run(none), core::UsageError) << none;
  std::vector<std::string> ids;
  for (const RunRecord& record : store->runs()) ids.push_back(record.id);
  EXPECT_THAT(ids, ElementsAre(second, first, old));
}

TEST(Store, KeepsTasksInTheOrderOfTheirFirstRecord) {
  const test::TempFolder folder;
  const auto store = Store::open(folder / "store");
  const RunRecord run = store->create_run({});
  for (const std::string& text : kTexts) {
    TaskRecord record{.run_id = run.id,
                      .path = "loop[0]/" + text,
                      .name = text,
                      .component = text,
                      .is_dag = true,
                      .state = State::kPending,
                      .cache_key = text,
                      .cached_from = text,
                      .error = text,
                      .inputs = {{text, text}}};
    store->put_task(record);
  }
  const TaskRecord last{.run_id = run.id,
                        .path = "loop[0]/" + kTexts.front(),
                        .name = "n",
                        .component = "comp-n",
                        .state = State::kFailed,
                        .attempt = 3,
                        .started_s = 1.5,
                        .finished_s = 2.5,
                        .exit_code = -9,
                        .cache_key = "k",
                        .cached_from = "f",
                        .log = run.folder / "n.log",
                        .error = "e",
                        .inputs = {{"seed", std::numeric_limits<std::int64_t>::max()}},
                        .outputs = {{"loss", 0.1}},
                        .cpu_s = 12.25,
                        .peak_memory_bytes = std::int64_t{5} << 33};
  store->put_task(last);
  const std::vector<TaskRecord> tasks = store->tasks(run.id);
  ASSERT_EQ(tasks.size(), kTexts.size());
  const TaskRecord& read = tasks.front();
  EXPECT_EQ(read.path, last.path);
  EXPECT_EQ(read.name, last.name);
  EXPECT_EQ(read.component, last.component);
  EXPECT_FALSE(read.is_dag);
  EXPECT_EQ(read.state, last.state);
  EXPECT_EQ(read.attempt, last.attempt);
  EXPECT_EQ(read.started_s, last.started_s);
  EXPECT_EQ(read.finished_s, last.finished_s);
  EXPECT_EQ(read.exit_code, last.exit_code);
  EXPECT_EQ(read.cache_key, last.cache_key);
  EXPECT_EQ(read.cached_from, last.cached_from);
  EXPECT_EQ(read.log, last.log);
  EXPECT_EQ(read.error, last.error);
  EXPECT_EQ(read.inputs, last.inputs);
  EXPECT_EQ(read.outputs, last.outputs);
  EXPECT_EQ(read.cpu_s, last.cpu_s);
  EXPECT_EQ(read.peak_memory_bytes, last.peak_memory_bytes);
  for (std::size_t i = 1; i < kTexts.size(); ++i) {
    EXPECT_EQ(tasks[i].path, "loop[0]/" + kTexts[i]);
    EXPECT_EQ(tasks[i].name, kTexts[i]);
    EXPECT_EQ(tasks[i].inputs, json({{kTexts[i], kTexts[i]}}));
    EXPECT_FALSE(tasks[i].exit_code.has_value());
    EXPECT_TRUE(tasks[i].log.empty());
  }
  EXPECT_TRUE(store->tasks("none").empty());
  EXPECT_THROW(store->put_task({.run_id = "none", .path = "t"}), core::UsageError);
}

TEST(Store, FindsATaskByPathLastPartOrName) {
  const test::TempFolder folder;
  const auto store = Store::open(folder / "store");
  const std::string run = store->create_run({}).id;
  for (const char* path : {"prepare", "loop[0]/train", "loop[1]/train", "loop[1]/check"})
    store->put_task(
        {.run_id = run, .path = path, .name = std::string(path) == "prepare" ? "First step" : ""});
  EXPECT_EQ(store->task(run, "loop[1]/train").path, "loop[1]/train");
  EXPECT_EQ(store->task(run, "check").path, "loop[1]/check");
  EXPECT_EQ(store->task(run, "First step").path, "prepare");
  EXPECT_THAT(message_of<core::UsageError>([&] { store->task(run, "train"); }),
              AllOf(HasSubstr("loop[0]/train"), HasSubstr("loop[1]/train")));
  EXPECT_THAT(message_of<core::UsageError>([&] { store->task(run, "chekc"); }),
              HasSubstr("did you mean check?"));
  EXPECT_THROW(store->task(run, "' OR '1'='1"), core::UsageError);
}

TEST(Store, KeepsArtifacts) {
  const test::TempFolder folder;
  const auto store = Store::open(folder / "store");
  const RunRecord run = store->create_run({});
  ArtifactRecord record{.run_id = run.id,
                        .task_path = "train",
                        .name = "model",
                        .type = "system.Model",
                        .path = run.folder / "train" / "model",
                        .sha256 = "ab",
                        .bytes = std::int64_t{1} << 40,
                        .metadata = {{"loss", 0.5}, {"Größe", "大"}}};
  store->put_artifact(record);
  record.direction = ArtifactRecord::Direction::kInput;
  record.path = "/somewhere/else/'quoted'";
  store->put_artifact(record);
  record.sha256 = "cd";
  store->put_artifact(record);  // replaces
  record.name = "imported";
  record.path = "s3://bucket//key/../x";
  store->put_artifact(record);
  const auto artifacts = store->artifacts(run.id);
  ASSERT_EQ(artifacts.size(), 3u);
  EXPECT_EQ(artifacts[2].path, "s3://bucket//key/../x");
  EXPECT_EQ(artifacts[0].direction, ArtifactRecord::Direction::kOutput);
  EXPECT_EQ(artifacts[0].path, run.folder / "train" / "model");
  EXPECT_EQ(artifacts[0].sha256, "ab");
  EXPECT_EQ(artifacts[0].bytes, record.bytes);
  EXPECT_EQ(artifacts[0].metadata, record.metadata);
  EXPECT_EQ(artifacts[0].type, "system.Model");
  EXPECT_EQ(artifacts[0].task_path, "train");
  EXPECT_EQ(artifacts[1].direction, ArtifactRecord::Direction::kInput);
  EXPECT_EQ(artifacts[1].path, "/somewhere/else/'quoted'");
  EXPECT_EQ(artifacts[1].sha256, "cd");
}

TEST(Store, RefusesTextThatIsNotUtf8) {
  const test::TempFolder folder;
  const auto store = Store::open(folder / "store");
  EXPECT_THAT(message_of<core::InputError>([&] {
                store->create_run({.parameters = {{"x", "\xff"}}});
              }),
              HasSubstr("parameters: has a string that is not UTF-8"));
  EXPECT_TRUE(store->runs().empty());
}

TEST(Store, MayBeMoved) {
  const test::TempFolder folder;
  std::string id;
  {
    const auto store = Store::open(folder / "before");
    const RunRecord run = store->create_run({});
    id = run.id;
    store->put_task({.run_id = id, .path = "t", .log = run.folder / "t.log"});
    store->put_artifact({.run_id = id, .task_path = "t", .name = "a", .path = run.folder / "a"});
  }
  fs::rename(folder / "before", folder / "after");
  const auto store = Store::open(folder / "after");
  EXPECT_EQ(store->run(id).folder, folder / "after" / "runs" / id);
  EXPECT_EQ(store->tasks(id).at(0).log, folder / "after" / "runs" / id / "t.log");
  EXPECT_EQ(store->artifacts(id).at(0).path, folder / "after" / "runs" / id / "a");
}

TEST(Store, ShowsRunsOfDeadRunnersAsCanceled) {
  const test::TempFolder folder;
  const auto store = Store::open(folder / "store");
  const std::int64_t dead = dead_process();
  const auto state_of = [&](const RunRecord& record) {
    return store->run(store->create_run(record).id).state;
  };
  EXPECT_EQ(state_of({.state = State::kRunning, .runner_pid = dead, .runner_start = 5}), State::kCanceled);
  EXPECT_EQ(state_of({.state = State::kPending, .runner_pid = dead}), State::kCanceled);
  EXPECT_EQ(state_of({.state = State::kSucceeded, .runner_pid = dead}), State::kSucceeded);
  EXPECT_EQ(state_of({.state = State::kFailed, .runner_pid = dead}), State::kFailed);
  EXPECT_EQ(state_of({.state = State::kRunning, .runner_pid = getpid()}), State::kRunning);
  EXPECT_EQ(state_of({.state = State::kPending}), State::kPending);
  // Another process has the id now: it began at another time.
  EXPECT_EQ(state_of({.state = State::kRunning,
                      .runner_pid = getpid(),
                      .runner_start = core::process_start(getpid()) - 1}),
            State::kCanceled);
  for (const RunRecord& record : store->runs()) EXPECT_EQ(record.state, store->run(record.id).state);
}

TEST(Store, ClaimsARunOfADeadRunner) {
  const test::TempFolder folder;
  const auto store = Store::open(folder / "store");
  const RunRecord run = store->create_run(
      {.state = State::kRunning, .runner_pid = dead_process(), .error = "old", .options = {{"jobs", 3}}});
  const RunRecord claimed = store->claim_run(run.id.substr(0, run.id.size() - 1));
  EXPECT_EQ(claimed.id, run.id);
  EXPECT_EQ(claimed.runner_pid, getpid());
  EXPECT_EQ(claimed.state, State::kRunning);
  EXPECT_EQ(claimed.error, "");
  EXPECT_EQ(store->run(run.id).state, State::kRunning);
  EXPECT_EQ(store->run(run.id).options, json({{"jobs", 3}}));
  // Another process must not take it.
  const pid_t child = fork();
  if (child == 0) {
    int code = 1;
    try {
      Store::open(folder / "store")->claim_run(run.id);
    } catch (const core::UsageError& error) {
      code = std::string(error.what()).find("is running") != std::string::npos ? 0 : 2;
    } catch (...) {
      code = 3;
    }
    _exit(code);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(Liveness, ZombiesAreDead) {
  const pid_t child = fork();
  if (child == 0) pause();
  const std::int64_t start = core::process_start(child);
  EXPECT_GT(start, 0);
  EXPECT_TRUE(core::process_lives(child, start));
  kill(child, SIGKILL);
  siginfo_t info;
  waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);  // it stays a zombie
  EXPECT_FALSE(core::process_lives(child, start));
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_FALSE(core::process_lives(child, start));
  EXPECT_EQ(core::process_start(0), 0);
  EXPECT_EQ(core::process_start(-1), 0);
}

TEST(Store, FolderWhereNoOptionNamesOne) {
  ASSERT_EQ(setenv("CALOPIPE_STORE", "/somewhere", 1), 0);
  EXPECT_EQ(kfp::local::default_store_folder(), "/somewhere");
  ASSERT_EQ(setenv("CALOPIPE_STORE", "", 1), 0);
  EXPECT_EQ(kfp::local::default_store_folder(), ".calopipe");
  ASSERT_EQ(unsetenv("CALOPIPE_STORE"), 0);
  EXPECT_EQ(kfp::local::default_store_folder(), ".calopipe");
}

TEST(State, HasTheNamesOfKfp) {
  for (const char* name : {"PENDING", "RUNNING", "SUCCEEDED", "CACHED", "SKIPPED", "FAILED", "CANCELED"})
    EXPECT_EQ(to_string(kfp::local::parse_state(name)), name);
  EXPECT_FALSE(is_final(State::kPending));
  EXPECT_FALSE(is_final(State::kRunning));
  for (State state : {State::kSucceeded, State::kCached, State::kSkipped, State::kFailed, State::kCanceled})
    EXPECT_TRUE(is_final(state));
  EXPECT_THROW(kfp::local::parse_state("succeeded"), core::InputError);
}

RunRecord remote_run(const std::string& id) {
  return {.id = id,
          .pipeline = "training",
          .state = State::kRunning,
          .created_s = 1.7e9,
          .options = {{"cache", true}},
          .remote = kfp::local::RemotePlace{.context = "cern",
                                            .server = "https://ml.example.org/pipeline",
                                            .state = "CANCELING",
                                            .seen_s = 1.7e9 + 5,
                                            .problem = "not stored"}};
}

TEST(Store, KeepsARemoteRunAndItsState) {
  const test::TempFolder folder;
  const std::string id = "33d5d5f7-4ae6-4e54-9bfe-30d0bd8d8b02";
  Store::open(folder / "store")->create_run(remote_run(id));
  const auto store = Store::open(folder / "store");
  RunRecord run = store->run("33d5");
  EXPECT_EQ(run.id, id);
  // It has no process here, and is not canceled by the lack of one.
  EXPECT_EQ(run.state, State::kRunning);
  EXPECT_EQ(run.runner_pid, 0);
  EXPECT_EQ(run.options, json({{"cache", true}}));
  ASSERT_TRUE(run.remote);
  EXPECT_EQ(run.remote->context, "cern");
  EXPECT_EQ(run.remote->server, "https://ml.example.org/pipeline");
  EXPECT_EQ(run.remote->state, "CANCELING");
  EXPECT_EQ(run.remote->seen_s, 1.7e9 + 5);
  EXPECT_EQ(run.remote->problem, "");
  run.state = State::kCanceled;
  run.remote->state = "CANCELED";
  store->update_run(run);
  EXPECT_EQ(store->runs().at(0).remote->state, "CANCELED");
  EXPECT_FALSE(store->run(store->create_run({.pipeline = "here"}).id).remote);
  EXPECT_THAT(message_of<core::UsageError>([&] { store->claim_run(id); }), HasSubstr("not on this machine"));
  EXPECT_THAT(message_of<core::UsageError>([&] { store->create_run(remote_run(id)); }),
              HasSubstr("is already recorded"));
  store->delete_run(id);
  EXPECT_EQ(store->runs().size(), 1u);
}

TEST(Store, IdsFromServersStayInTheStore) {
  const test::TempFolder folder;
  const auto store = Store::open(folder / "store");
  for (const std::string id : {"", "..", "../../x", "a/b", "latest", "-x", "a.b", "a b"})
    EXPECT_THAT(message_of<core::InputError>([&] { store->create_run(remote_run(id)); }),
                HasSubstr("cannot be the id of a run"));
  EXPECT_THROW(store->create_run(remote_run(std::string(129, 'a'))), core::InputError);
  EXPECT_TRUE(store->runs().empty());
  EXPECT_TRUE(fs::is_empty(folder / "store/runs"));
}

}  // namespace
