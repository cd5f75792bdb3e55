#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <functional>
#include <thread>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/liveness.h"
#include "kfp/local/run_pipeline.h"
#include "kfp/local/sketches.h"

// Failures, retries, timeouts, exit tasks, caching, resuming.
namespace {

namespace fs = std::filesystem;
using kfp::local::State;
using nlohmann::json;
using test::artifact;
using test::constant;
using test::from_task;
using test::of_type;
using test::Sketch;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FailureTest : public test::LocalRun {
 protected:
  /// Waits for a file of the working folder.
  bool appears(const std::string& name) const {
    for (int i = 0; i < 6000; ++i) {
      if (fs::exists(folder / "work" / name)) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  /// Runs a pipeline in a process of its own.
  pid_t run_elsewhere(const kfp::ir::Pipeline& pipeline, const json& parameters = json::object()) {
    return elsewhere([&](kfp::local::Store& mine) { kfp::local::run(pipeline, parameters, options, mine); });
  }
  pid_t elsewhere(const std::function<void(kfp::local::Store&)>& work) {
    store.reset();
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        core::catch_interrupts();
        const auto mine = kfp::local::Store::open(folder / "store");
        work(*mine);
        ::_exit(0);
      } catch (const core::Error& error) {
        ::_exit(static_cast<int>(error.exit_code()));
      } catch (const std::exception&) {
        ::_exit(1);
      }
    }
    return child;
  }
  void kill_and_reopen(pid_t child) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    store = kfp::local::Store::open(folder / "store");
  }
  void resume() {
    recorder = {};
    result = kfp::local::resume("latest", options, *store, &recorder);
  }
};

// a fails; b needs it; c needs b; other and after do not.
Sketch failing() {
  Sketch sketch;
  sketch.component("fail", "echo first; echo last words >&2; exit 3");
  sketch.component("work", "echo x >> $COUNTS/$1",
                   {"{{$.inputs.parameters['name']}}"})["inputDefinitions"]["parameters"]["name"] =
      of_type("STRING");
  sketch.task("a", "fail");
  const auto work = [&](const std::string& name, const std::string& upstream) -> json& {
    auto& task = sketch.task(name, "work");
    task["inputs"]["parameters"]["name"] = constant(name);
    if (!upstream.empty()) task["dependentTasks"] = {upstream};
    return task;
  };
  work("b", "a");
  work("c", "b");
  work("other", "");
  work("after", "other");
  return sketch;
}

TEST_F(FailureTest, OtherBranchesGoOnAndDependentsAreSkipped) {
  run(failing().pipeline());
  EXPECT_EQ(result.run.state, State::kFailed);
  EXPECT_EQ(result.run.error, "a: exit code 3");
  EXPECT_EQ(state("a"), State::kFailed);
  EXPECT_EQ(task("a").exit_code, 3);
  EXPECT_EQ(log("a"), "first\nlast words\n");
  EXPECT_EQ(state("b"), State::kSkipped);
  EXPECT_EQ(state("c"), State::kSkipped);
  EXPECT_EQ(state("other"), State::kSucceeded);
  EXPECT_EQ(state("after"), State::kSucceeded);
  EXPECT_EQ(count("b"), 0);
}

TEST_F(FailureTest, ProgramsThatAreNotHereAreNamed) {
  Sketch sketch = failing();
  sketch.container("fail")["command"] = {"my_program"};
  run(sketch.pipeline());
  EXPECT_THAT(result.run.error, HasSubstr("no program my_program"));
  core::write_file(folder / "work" / "mine", "#!/bin/sh\necho mine\n");
  fs::permissions(folder / "work" / "mine", fs::perms::owner_all);
  options.programs["my_program"] = folder / "work" / "mine";
  run(sketch.pipeline());
  EXPECT_EQ(log("a"), "mine\n");
}

// As the SDK compiles an exit handler: the tasks in a DAG of their own, and a task behind it.
Sketch with_exit_task(const std::string& script) {
  Sketch sketch;
  sketch.component("work", script);
  sketch.task("work", "work", "handled");
  sketch.task("handled");
  auto& clean =
      sketch.component("clean", "echo x >> $COUNTS/clean; echo $1", {"{{$.inputs.parameters['status']}}"});
  clean["inputDefinitions"]["parameters"]["status"] = of_type("TASK_FINAL_STATUS");
  auto& task = sketch.task("clean");
  task["inputs"]["parameters"]["status"]["taskFinalStatus"]["producerTask"] = "handled";
  task["dependentTasks"] = {"handled"};
  task["triggerPolicy"]["strategy"] = "ALL_UPSTREAM_TASKS_COMPLETED";
  return sketch;
}

TEST_F(FailureTest, ExitTasksRunBehindFailures) {
  run(with_exit_task("exit 1").pipeline());
  EXPECT_EQ(result.run.state, State::kFailed);
  EXPECT_EQ(state("handled"), State::kFailed);
  EXPECT_EQ(state("clean"), State::kSucceeded);
  EXPECT_EQ(json::parse(log("clean")), json({{"state", "FAILED"},
                                             {"error", json::object()},
                                             {"pipelineJobResourceName", result.run.id},
                                             {"pipelineTaskName", "handled"}}));
  run(with_exit_task("true").pipeline());
  EXPECT_EQ(result.run.state, State::kSucceeded);
  EXPECT_EQ(json::parse(log("clean"))["state"], "COMPLETE");
}

TEST_F(FailureTest, IgnoringAnUpstreamFailureTakesTheDefault) {
  Sketch sketch = failing();
  sketch.spec["components"]["comp-fail"]["outputDefinitions"]["parameters"]["word"] = of_type("STRING");
  auto& use = sketch.component("use", "echo $1", {"{{$.inputs.parameters['word']}}"});
  use["inputDefinitions"]["parameters"]["word"] = {{"parameterType", "STRING"}, {"defaultValue", "nothing"}};
  auto& task = sketch.task("use");
  task["inputs"]["parameters"]["word"] = from_task("a", "word");
  task["dependentTasks"] = {"a"};
  task["triggerPolicy"]["strategy"] = "ALL_UPSTREAM_TASKS_COMPLETED";
  run(sketch.pipeline());
  EXPECT_EQ(log("use"), "nothing\n");
  EXPECT_EQ(result.run.state, State::kFailed);
}

TEST_F(FailureTest, TriesAgainWithoutWhatTheFailedAttemptLeft) {
  Sketch sketch;
  auto& flaky = sketch.component(
      "flaky",
      "echo attempt $KFP_RETRY_INDEX; ls $2 2>/dev/null; mkdir -p $2; echo x > $2/part$KFP_RETRY_INDEX; "
      "echo x >> $KFP_TASK_SCRATCH/kept; [ $KFP_RETRY_INDEX = 2 ] || exit 1; wc -l < $KFP_TASK_SCRATCH/kept "
      "> $1",
      {"{{$.outputs.parameters['kept'].output_file}}", "{{$.outputs.artifacts['out'].path}}"});
  flaky["outputDefinitions"] = {{"parameters", {{"kept", of_type("NUMBER_INTEGER")}}},
                                {"artifacts", {{"out", artifact()}}}};
  sketch.task("flaky")["retryPolicy"] = {{"maxRetryCount", 3},
                                         {"backoffDuration", "0.01s"},
                                         {"backoffFactor", 2.0},
                                         {"backoffMaxDuration", "3600s"}};
  run(sketch.pipeline());
  EXPECT_EQ(result.run.state, State::kSucceeded) << result.run.error;
  EXPECT_EQ(task("flaky").attempt, 3);
  EXPECT_EQ(task("flaky").outputs, json({{"kept", 3}}));
  EXPECT_EQ(log("flaky"), "attempt 0\n--- attempt 2 ---\nattempt 1\n--- attempt 3 ---\nattempt 2\n");
  EXPECT_FALSE(fs::exists(output("flaky", "out") / "part0"));
  EXPECT_TRUE(fs::exists(output("flaky", "out") / "part2"));
}

TEST_F(FailureTest, GivesUpAfterTheLastRetry) {
  Sketch sketch = failing();
  sketch.dag_of("")["tasks"]["a"]["retryPolicy"] = {{"maxRetryCount", 2}, {"backoffDuration", "0s"}};
  run(sketch.pipeline());
  EXPECT_EQ(task("a").attempt, 3);
  EXPECT_EQ(state("a"), State::kFailed);
  // The time for retries is bounded, too.
  sketch.dag_of("")["tasks"]["a"]["retryPolicy"] = {
      {"maxRetryCount", 100}, {"backoffDuration", "1000s"}, {"backoffMaxDuration", "5s"}};
  run(sketch.pipeline());
  EXPECT_EQ(task("a").attempt, 1);
  EXPECT_THAT(task("a").error, HasSubstr("retries"));
}

TEST_F(FailureTest, AKilledTaskIsTriedAgain) {
  Sketch sketch;
  sketch.component("work", "echo x >> $COUNTS/work; [ $KFP_RETRY_INDEX = 1 ] || kill -9 $$; echo done");
  sketch.task("work")["retryPolicy"] = {{"maxRetryCount", 1}, {"backoffDuration", "0s"}};
  run(sketch.pipeline());
  EXPECT_EQ(result.run.state, State::kSucceeded);
  EXPECT_EQ(count("work"), 2);
  sketch.dag_of("")["tasks"]["work"].erase("retryPolicy");
  run(sketch.pipeline());
  EXPECT_THAT(result.run.error, HasSubstr("signal 9"));
}

TEST_F(FailureTest, EndsTasksThatTakeTooLong) {
  Sketch sketch;
  sketch.component("slow", "trap 'echo told; exit 0' TERM; sleep 1000 & wait");
  sketch.task("slow");
  sketch.component("deaf", "trap '' TERM; sleep 1000 & wait; wait; sleep 1000");
  sketch.task("deaf");
  sketch.kubernetes("slow")["activeDeadlineSeconds"] = "1";
  sketch.kubernetes("deaf")["activeDeadlineSeconds"] = "1";
  options.grace_s = 0.5;
  run(sketch.pipeline());
  EXPECT_EQ(result.run.state, State::kFailed);
  EXPECT_THAT(task("slow").error, HasSubstr("deadline of 1 s"));
  EXPECT_EQ(log("slow"), "told\n");
  EXPECT_THAT(task("deaf").error, HasSubstr("deadline of 1 s"));
}

TEST_F(FailureTest, EndsRunsThatTakeTooLong) {
  Sketch sketch;
  sketch.component("slow", "exec sleep 1000");
  sketch.task("slow");
  sketch.component("next", "true");
  sketch.task("next")["dependentTasks"] = {"slow"};
  sketch.platform["platforms"]["kubernetes"]["pipelineConfig"]["activeDeadlineSeconds"] = 1;
  run(sketch.pipeline());
  EXPECT_EQ(result.run.state, State::kFailed);
  EXPECT_THAT(result.run.error, HasSubstr("deadline"));
  EXPECT_EQ(state("slow"), State::kFailed);
  EXPECT_EQ(state("next"), State::kSkipped);
}

TEST_F(FailureTest, TasksThatBreakTheContractFail) {
  for (const std::string script : {"printf '{\"parameterValues\": {\"x\": NaN}}' > $(dirname "
                                   "$1)/../.executor_output.json; printf 1 > $1",
                                   "true", "printf abc > $1"}) {
    Sketch sketch;
    auto& component = sketch.component("work", script, {"{{$.outputs.parameters['x'].output_file}}"});
    component["outputDefinitions"]["parameters"]["x"] = of_type("NUMBER_DOUBLE");
    sketch.task("work");
    run(sketch.pipeline());
    EXPECT_EQ(state("work"), State::kFailed) << script;
    EXPECT_EQ(task("work").exit_code, 0);
    EXPECT_NE(task("work").error, "");
  }
}

Sketch cached() {
  Sketch sketch = test::linear();
  for (const char* name : {"write", "read"})
    sketch.dag_of("")["tasks"][name]["cachingOptions"]["enableCache"] = true;
  return sketch;
}

TEST_F(FailureTest, TasksWithTheSameContentAreNotRunAgain) {
  run(cached().pipeline(), {{"text", "a"}});
  const std::string first = result.run.id;
  const fs::path file = output("write", "file");
  run(cached().pipeline(), {{"text", "a"}});
  EXPECT_EQ(result.run.state, State::kSucceeded);
  EXPECT_EQ(state("write"), State::kCached);
  EXPECT_EQ(state("read"), State::kCached);
  EXPECT_EQ(task("write").cached_from, first);
  EXPECT_EQ(task("write").outputs, json({{"number", 42}}));
  EXPECT_EQ(output("write", "file"), file);
  EXPECT_EQ(count("write"), 1);

  run(cached().pipeline(), {{"text", "b"}});  // another parameter
  EXPECT_EQ(count("write"), 2);
  options.cache = false;
  run(cached().pipeline(), {{"text", "a"}});
  EXPECT_EQ(count("write"), 3);
  options.cache = true;
  options.force = {"write"};
  run(cached().pipeline(), {{"text", "a"}});
  EXPECT_EQ(count("write"), 4);
  EXPECT_EQ(state("read"), State::kCached);  // what write made is the same
  options.force.clear();
  options.program_version = "2";
  run(cached().pipeline(), {{"text", "a"}});
  EXPECT_EQ(count("write"), 5);
  run(test::linear().pipeline(), {{"text", "a"}});  // caching is not asked for
  EXPECT_EQ(count("write"), 6);

  core::write_file(output("write", "file"), "changed by hand");
  for (const auto& record : store->runs())
    if (record.id != result.run.id) store->delete_run(record.id);
  run(cached().pipeline(), {{"text", "a"}});
  EXPECT_EQ(count("write"), 7);
}

TEST_F(FailureTest, AFailedRunResumesWithWhatIsNotDone) {
  Sketch sketch = failing();
  sketch.container("fail")["args"][0] = "echo x >> $COUNTS/a; [ -e $COUNTS/repaired ]";
  run(sketch.pipeline());
  EXPECT_EQ(result.run.state, State::kFailed);
  core::write_file(folder / "work" / "repaired", "");
  const std::string id = result.run.id;
  resume();
  EXPECT_EQ(result.run.id, id);
  EXPECT_EQ(result.run.state, State::kSucceeded) << result.run.error;
  EXPECT_EQ(store->run(id).error, "");
  EXPECT_EQ(state("other"), State::kSucceeded);
  EXPECT_EQ(task("other").attempt, 1);
  EXPECT_EQ(count("a"), 2);
  EXPECT_EQ(count("b"), 1);
  EXPECT_EQ(count("other"), 1);
  EXPECT_EQ(task("a").attempt, 2);
  resume();  // nothing is left to do
  EXPECT_EQ(result.run.state, State::kSucceeded);
  EXPECT_EQ(count("a"), 2);
}

TEST_F(FailureTest, ExitTasksRunAgainBehindWhatRanAgain) {
  const Sketch sketch = with_exit_task("echo x >> $COUNTS/work; [ -e $COUNTS/repaired ]");
  run(sketch.pipeline());
  EXPECT_EQ(count("clean"), 1);
  core::write_file(folder / "work" / "repaired", "");
  resume();
  EXPECT_EQ(result.run.state, State::kSucceeded);
  EXPECT_EQ(count("work"), 2);
  EXPECT_EQ(count("clean"), 2);
}

// first → loop of four → last; the third iteration waits until it is told to go on.
Sketch long_pipeline() {
  Sketch sketch = test::loop(R"(["1","2","3","4"])", false);
  sketch.container("work")["args"][0] =
      "echo x >> $COUNTS/work$1; [ $1 != 3 ] || [ -e $COUNTS/go ] || { sleep 1000 & echo $$ > $COUNTS/task; "
      "echo $! > $COUNTS/child; touch $COUNTS/waits; wait; }; printf %s $1 > $2; printf x > $3";
  sketch.component("first", "echo x >> $COUNTS/first");
  sketch.task("first");
  sketch.dag_of("")["tasks"]["loop"]["dependentTasks"] = {"first"};
  return sketch;
}

TEST_F(FailureTest, ARunWhoseRunnerWasKilledResumes) {
  options.cpus = 1;  // in order
  const pid_t runner = run_elsewhere(long_pipeline().pipeline());
  ASSERT_TRUE(appears("waits"));
  const std::vector<pid_t> orphans = {std::stoi(core::read_file(folder / "work" / "task")),
                                      std::stoi(core::read_file(folder / "work" / "child"))};
  for (const pid_t orphan : orphans) EXPECT_NE(core::process_start(orphan), 0);
  kill_and_reopen(runner);
  for (const pid_t orphan : orphans) {  // they go with the runner, also what a task started
    for (int i = 0; i < 5000 && core::process_start(orphan) != 0; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    EXPECT_EQ(core::process_start(orphan), 0);
  }
  EXPECT_EQ(store->runs().front().state, State::kCanceled);
  core::write_file(folder / "work" / "go", "");
  resume();
  EXPECT_EQ(result.run.state, State::kSucceeded) << result.run.error;
  EXPECT_EQ(log("join"), R"(["1","2","3","4"])"
                         "\nxxxx");
  EXPECT_EQ(count("first"), 1);
  EXPECT_EQ(count("work1"), 1);
  EXPECT_EQ(count("work2"), 1);
  EXPECT_EQ(count("work3"), 2);
  EXPECT_EQ(count("work4"), 1);
}

TEST_F(FailureTest, AResumedRunMayBeKilledAgain) {
  options.cpus = 1;
  const pid_t runner = run_elsewhere(long_pipeline().pipeline());
  ASSERT_TRUE(appears("waits"));
  kill_and_reopen(runner);
  for (int i = 0; i < 2; ++i) {
    fs::remove(folder / "work" / "waits");
    const pid_t again =
        elsewhere([&](kfp::local::Store& mine) { kfp::local::resume("latest", options, mine); });
    ASSERT_TRUE(appears("waits"));
    kill_and_reopen(again);
  }
  core::write_file(folder / "work" / "go", "");
  resume();
  EXPECT_EQ(result.run.state, State::kSucceeded) << result.run.error;
  EXPECT_EQ(count("first"), 1);
  EXPECT_EQ(count("work2"), 1);
  EXPECT_EQ(count("work3"), 4);
  EXPECT_EQ(task("loop[2]/work").attempt, 4);
}

TEST_F(FailureTest, ARunIsTakenOverByOneProcessOnly) {
  const pid_t runner = run_elsewhere(long_pipeline().pipeline());
  ASSERT_TRUE(appears("waits"));
  store = kfp::local::Store::open(folder / "store");
  EXPECT_THROW(resume(), core::UsageError);
  store.reset();
  kill_and_reopen(runner);
}

TEST_F(FailureTest, AnInterruptedRunSavesAndResumes) {
  options.cpus = 1;
  Sketch sketch = long_pipeline();
  sketch.container("work")["args"][0] =
      "trap 'echo saved > $KFP_TASK_SCRATCH/state; exit 130' TERM; cat $KFP_TASK_SCRATCH/state 2>/dev/null; "
      "echo x >> $COUNTS/work$1; [ $1 != 3 ] || [ -e $COUNTS/go ] || { touch $COUNTS/waits; sleep 1000 & "
      "wait; }; "
      "printf %s $1 > $2; printf x > $3";
  const pid_t runner = run_elsewhere(sketch.pipeline());
  ASSERT_TRUE(appears("waits"));
  ::kill(runner, SIGINT);
  int status = 0;
  ::waitpid(runner, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 130);
  store = kfp::local::Store::open(folder / "store");
  result.run = store->run("latest");
  EXPECT_EQ(result.run.state, State::kCanceled);
  EXPECT_EQ(result.run.runner_pid, 0);
  EXPECT_EQ(state("loop[2]/work"), State::kCanceled);
  EXPECT_EQ(state("join"), State::kCanceled);
  core::write_file(folder / "work" / "go", "");
  resume();
  EXPECT_EQ(result.run.state, State::kSucceeded) << result.run.error;
  EXPECT_THAT(log("loop[2]/work"), HasSubstr("saved"));
  EXPECT_EQ(count("work1"), 1);
  EXPECT_EQ(count("work3"), 2);
  EXPECT_EQ(count("work4"), 1);
}

TEST_F(FailureTest, TwoRunnersShareAStore) {
  const Sketch sketch = cached();
  std::vector<pid_t> runners;
  for (int i = 0; i < 4; ++i)
    runners.push_back(run_elsewhere(sketch.pipeline(), {{"text", std::to_string(i / 2)}}));
  for (const pid_t runner : runners) {
    int status = 0;
    ::waitpid(runner, &status, 0);
    EXPECT_EQ(status, 0);
  }
  store = kfp::local::Store::open(folder / "store");
  ASSERT_EQ(store->runs().size(), 4U);
  for (const auto& record : store->runs()) {
    EXPECT_EQ(record.state, State::kSucceeded);
    result.run = record;
    EXPECT_EQ(core::read_file(output("write", "file")), record.parameters["text"]);
    EXPECT_EQ(task("read").inputs, json({{"number", 42}}));
  }
}

}  // namespace
