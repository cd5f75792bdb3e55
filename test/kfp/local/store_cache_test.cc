#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "core/error.h"
#include "core/hash.h"
#include "core/liveness.h"
#include "core/staged_output.h"
#include "kfp/local/store.h"
#include "support/temp_folder.h"

// The cache by content, and what deleting a run does to those that use it.
namespace {

namespace fs = std::filesystem;
using kfp::local::ArtifactRecord;
using kfp::local::RunRecord;
using kfp::local::State;
using kfp::local::Store;
using kfp::local::TaskRecord;
using testing::HasSubstr;

constexpr auto kInput = ArtifactRecord::Direction::kInput;

class StoreCache : public testing::Test {
 protected:
  // A finished run of one task, "train", that made a file and a folder.
  RunRecord add_run(double created_s, const std::string& key = "key") {
    const RunRecord run =
        store->create_run({.state = State::kSucceeded, .created_s = created_s, .finished_s = created_s + 1});
    const TaskRecord task{.run_id = run.id,
                          .path = "train",
                          .state = State::kSucceeded,
                          .finished_s = created_s,
                          .cache_key = key,
                          .log = run.folder / "logs" / "train.log",
                          .outputs = {{"created", created_s}}};
    core::write_file(task.log, "log of " + run.id);
    core::write_file(run.folder / "train" / "metrics.json", "{}");
    core::write_file(run.folder / "train" / "model" / "weights" / "0.bin", "first");
    core::write_file(run.folder / "train" / "model" / "model.json", "{}");
    store->put_task(task);
    for (const char* name : {"metrics.json", "model"}) {
      const fs::path path = run.folder / "train" / name;
      store->put_artifact({.run_id = run.id,
                           .task_path = "train",
                           .name = name,
                           .path = path,
                           .sha256 = core::sha256_of_path(path),
                           .bytes = 2});
    }
    return run;
  }

  // A run whose "train" came from `origin` through the cache, and whose "check" read its model.
  RunRecord add_user(const RunRecord& origin, double created_s, State state = State::kSucceeded,
                     std::int64_t runner = 0) {
    const RunRecord run = store->create_run({.state = state, .created_s = created_s, .runner_pid = runner});
    TaskRecord task = store->task(origin.id, "train");
    task.run_id = run.id;
    task.state = State::kCached;
    task.cached_from = origin.id;
    store->put_task(task);
    store->put_task({.run_id = run.id, .path = "check", .state = State::kSucceeded});
    for (ArtifactRecord artifact : store->artifacts(origin.id)) {
      artifact.run_id = run.id;
      store->put_artifact(artifact);
      if (artifact.name != "model") continue;
      artifact.direction = kInput;
      artifact.task_path = "check";
      store->put_artifact(artifact);
    }
    return run;
  }

  ArtifactRecord artifact(const std::string& run, const std::string& task, const std::string& name) {
    for (const ArtifactRecord& record : store->artifacts(run))
      if (record.task_path == task && record.name == name) return record;
    ADD_FAILURE() << "no artifact " << name;
    return {};
  }

  std::string cached_run(const std::string& key = "key") {
    const auto task = store->find_cached(key);
    return task ? task->run_id : "none";
  }

  const test::TempFolder folder;
  const std::unique_ptr<Store> store = Store::open(folder / "store");
};

TEST_F(StoreCache, FindsTheNewestSucceededTask) {
  EXPECT_EQ(cached_run(), "none");
  const RunRecord first = add_run(1000);
  EXPECT_EQ(cached_run(), first.id);
  const RunRecord second = add_run(2000);
  const RunRecord other = add_run(3000, "' OR 1=1 --");
  EXPECT_EQ(cached_run(), second.id);
  EXPECT_EQ(store->find_cached("key")->outputs.at("created"), 2000);
  EXPECT_EQ(cached_run("' OR 1=1 --"), other.id);
  EXPECT_EQ(cached_run("ke"), "none");
  EXPECT_EQ(cached_run(""), "none");
  // Those that failed, and those that were themselves taken from the cache, are none.
  TaskRecord task = store->task(second.id, "train");
  task.state = State::kFailed;
  store->put_task(task);
  EXPECT_EQ(cached_run(), first.id);
  add_user(first, 4000);
  EXPECT_EQ(cached_run(), first.id);
}

TEST_F(StoreCache, MissesWhatWasRemovedOrChanged) {
  const RunRecord run = add_run(1000);
  const fs::path metrics = run.folder / "train/metrics.json",
                 weights = run.folder / "train/model/weights/0.bin";
  // Same size and another time: the content decides.
  core::write_file(metrics, "{}");
  core::write_file(weights, "first");
  EXPECT_EQ(cached_run(), run.id);
  core::write_file(metrics, "[]");
  EXPECT_EQ(cached_run(), "none");
  core::write_file(metrics, "{}");
  EXPECT_EQ(cached_run(), run.id);
  fs::remove(metrics);
  EXPECT_EQ(cached_run(), "none");
  core::write_file(metrics, "{}");
  core::write_file(weights, "other");
  EXPECT_EQ(cached_run(), "none");
  core::write_file(weights, "longer than before");
  EXPECT_EQ(cached_run(), "none");
  core::write_file(weights, "first");
  core::write_file(run.folder / "train/model/more", "");
  EXPECT_EQ(cached_run(), "none");
  fs::remove(run.folder / "train/model/more");
  EXPECT_EQ(cached_run(), run.id);
  fs::remove_all(run.folder / "train/model");
  EXPECT_EQ(cached_run(), "none");
}

// One that the task did not make at all changes nothing, unless somebody puts it there.
TEST_F(StoreCache, ArtifactThatWasNeverMade) {
  const RunRecord run = add_run(1000);
  store->put_artifact(
      {.run_id = run.id, .task_path = "train", .name = "extra", .path = run.folder / "train/extra"});
  EXPECT_EQ(cached_run(), run.id);
  core::write_file(run.folder / "train/extra", "x");
  EXPECT_EQ(cached_run(), "none");
}

TEST_F(StoreCache, GoesToAnOlderTaskWhereTheNewestWasChanged) {
  const RunRecord first = add_run(1000);
  const RunRecord second = add_run(2000);
  fs::remove(second.folder / "train/metrics.json");
  EXPECT_EQ(cached_run(), first.id);
}

TEST_F(StoreCache, DeletesRecordsAndFolder) {
  const RunRecord first = add_run(1000), second = add_run(2000);
  store->delete_run(first.id);
  EXPECT_FALSE(fs::exists(first.folder));
  EXPECT_TRUE(store->artifacts(first.id).empty());
  EXPECT_TRUE(store->tasks(first.id).empty());
  EXPECT_THROW(store->run(first.id), core::UsageError);
  EXPECT_THROW(store->delete_run(first.id), core::UsageError);
  ASSERT_EQ(store->runs().size(), 1u);
  EXPECT_TRUE(fs::exists(second.folder / "train/model/weights/0.bin"));
  fs::remove_all(second.folder);  // by hand
  store->delete_run(second.id);
  EXPECT_TRUE(store->runs().empty());
}

TEST_F(StoreCache, DeletingKeepsWhatOthersUse) {
  const RunRecord origin = add_run(1000);
  core::write_file(origin.folder / "train/unused", "x");
  const RunRecord late = add_user(origin, 3000), early = add_user(origin, 2000);
  store->delete_run(origin.id);
  EXPECT_FALSE(fs::exists(origin.folder));
  // The oldest of the two has the files now, and both name them.
  for (const RunRecord& run : {early, late})
    for (const auto& [task, name] :
         {std::pair("train", "model"), std::pair("train", "metrics.json"), std::pair("check", "model")}) {
      const ArtifactRecord record = artifact(run.id, task, name);
      EXPECT_EQ(record.path.lexically_relative(early.folder).begin()->string(), "kept") << record.path;
      EXPECT_EQ(core::sha256_of_path(record.path), record.sha256);
    }
  for (const RunRecord& run : {early, late}) {
    EXPECT_EQ(store->task(run.id, "train").cached_from, early.id);
    EXPECT_EQ(core::read_file(store->task(run.id, "train").log), "log of " + origin.id);
  }
  EXPECT_EQ(cached_run(), early.id);
  // And so on to the last one.
  store->delete_run(early.id);
  EXPECT_FALSE(fs::exists(early.folder));
  const ArtifactRecord model = artifact(late.id, "check", "model");
  EXPECT_EQ(core::sha256_of_path(model.path), model.sha256);
  EXPECT_EQ(model.path, artifact(late.id, "train", "model").path);
  EXPECT_EQ(cached_run(), late.id);
  store->delete_run(late.id);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder / "store/runs"), {}), 0);
  EXPECT_EQ(cached_run(), "none");
}

TEST_F(StoreCache, DeletingTheUserLeavesTheOrigin) {
  const RunRecord origin = add_run(1000), user = add_user(origin, 2000);
  store->delete_run(user.id);
  EXPECT_EQ(cached_run(), origin.id);
  EXPECT_TRUE(fs::exists(origin.folder / "train/model/model.json"));
}

TEST_F(StoreCache, KeepsAFileInsideAFolderThatIsAnArtifactToo) {
  const RunRecord origin = add_run(1000);
  const RunRecord user = store->create_run({.state = State::kSucceeded, .created_s = 2000});
  store->put_task({.run_id = user.id, .path = "read", .state = State::kSucceeded});
  store->put_artifact({.run_id = user.id,
                       .task_path = "read",
                       .direction = kInput,
                       .name = "weights",
                       .path = origin.folder / "train/model/weights/0.bin"});
  store->delete_run(origin.id);
  EXPECT_EQ(core::read_file(artifact(user.id, "read", "weights").path), "first");
}

TEST_F(StoreCache, RefusesToDeleteWhatRuns) {
  const RunRecord running = store->create_run({.state = State::kRunning});
  EXPECT_THROW(store->delete_run(running.id), core::UsageError);
  EXPECT_TRUE(fs::exists(running.folder));
  // Nor what a live run has told its tasks to read.
  const RunRecord origin = add_run(1000);
  RunRecord user = add_user(origin, 2000, State::kRunning, getpid());
  try {
    store->delete_run(origin.id);
    ADD_FAILURE() << "was deleted";
  } catch (const core::UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("run " + user.id + " is running and uses artifacts"));
  }
  EXPECT_EQ(cached_run(), origin.id);
  // A dead one does not hold it.
  user.runner_start -= 1;
  store->update_run(user);
  store->delete_run(origin.id);
  EXPECT_TRUE(fs::exists(artifact(user.id, "check", "model").path));
  // Runs that nobody runs may go.
  store->delete_run(store->create_run({.state = State::kPending}).id);
  store->delete_run(user.id);
  EXPECT_EQ(store->runs().size(), 1u);
}

TEST_F(StoreCache, NeverRemovesWhatLiesOutside) {
  core::write_file(folder / "mine.h5", "x");
  const RunRecord run = add_run(1000);
  store->put_artifact({.run_id = run.id, .task_path = "train", .name = "mine", .path = folder / "mine.h5"});
  RunRecord odd = store->create_run({.state = State::kFailed});
  odd.folder = folder.path();
  store->update_run(odd);
  store->delete_run(run.id);
  store->delete_run(odd.id);
  EXPECT_TRUE(fs::exists(folder / "mine.h5"));
  EXPECT_TRUE(fs::exists(folder / "store/runs.db"));
}

// Killed while it deletes, at growing delays: the user of the artifacts has them whatever happened.
TEST_F(StoreCache, KilledDeletionLosesNothing) {
  for (int round = 0; round < 15; ++round) {
    const RunRecord origin = add_run(1000 + round), user = add_user(origin, 2000 + round);
    fs::create_directory(origin.folder / "train/model/many");
    for (int i = 0; i < 300; ++i)
      std::ofstream(origin.folder / "train/model/many" / std::to_string(i)) << "x";
    const pid_t child = fork();
    if (child == 0) {
      try {
        Store::open(folder / "store")->delete_run(origin.id);
      } catch (...) {
        _exit(1);
      }
      _exit(0);
    }
    usleep(static_cast<useconds_t>(round * 1000));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    const fs::path model = artifact(user.id, "check", "model").path;
    EXPECT_EQ(core::read_file(model / "weights/0.bin"), "first");
    EXPECT_EQ(std::distance(fs::directory_iterator(model / "many"), {}), 300);
    // Where the records are still there the deletion goes on; what else was left goes with the next one.
    const auto runs = store->runs();
    if (std::any_of(runs.begin(), runs.end(), [&](const RunRecord& run) { return run.id == origin.id; }))
      store->delete_run(origin.id);
    EXPECT_EQ(core::read_file(artifact(user.id, "check", "model").path / "weights/0.bin"), "first");
    store->delete_run(user.id);
    EXPECT_EQ(std::distance(fs::directory_iterator(folder / "store/runs"), {}), 0);
  }
}

}  // namespace
