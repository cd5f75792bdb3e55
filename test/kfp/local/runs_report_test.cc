#include "kfp/local/runs_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/error.h"
#include "kfp/local/runs_compare.h"
#include "kfp/local/sample_runs.h"
#include "kfp/local/text_table.h"
#include "support/temp_folder.h"

// What is read from the store for people and programs.
namespace {

using namespace kfp::local;
using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr double kThen = 1795512600;

class RunsReport : public testing::Test {
 protected:
  RunReport report(const std::string& id = "latest") { return read_report(*store, id); }

  const test::TempFolder folder;
  const std::unique_ptr<Store> store = Store::open(folder / "store");
};

TEST_F(RunsReport, MetricsAreTheNumbersOfMetricsArtifacts) {
  RunRecord run = test::add_training(*store, kThen, 0.5, "m");
  store->put_artifact({.run_id = run.id,
                       .task_path = "validate",
                       .name = "scores",
                       .type = "system.Metrics@0.0.1",
                       .metadata = {{"chi2", 1.5}, {"ok", true}, {"nothing", nullptr}}});
  store->put_artifact({.run_id = run.id,
                       .task_path = "read",
                       .direction = ArtifactRecord::Direction::kInput,
                       .name = "scores",
                       .type = "system.Metrics",
                       .metadata = {{"chi2", 1.5}}});
  json metrics = json::array();
  for (const Metric& metric : report().metrics) metrics.push_back(to_json(metric));
  EXPECT_EQ(
      metrics,
      json({{{"task", "train"}, {"artifact", "metrics"}, {"name", "loss"}, {"value", 0.5}},
            {{"task", "train"}, {"artifact", "metrics"}, {"name", "steps"}, {"value", 9007199254740993}},
            {{"task", "validate"}, {"artifact", "scores"}, {"name", "chi2"}, {"value", 1.5}}}));
}

TEST_F(RunsReport, JsonHasEveryField) {
  const RunRecord run = test::add_training(*store, kThen, 0.5, "m");
  const json value = to_json(report(), kThen + 1000);
  EXPECT_EQ(value.at("id"), run.id);
  EXPECT_EQ(value.at("duration_s"), 75);
  EXPECT_EQ(value.at("parameters").at("lr"), 0.001);
  for (const char* field : {"pipeline", "name", "state", "created_s", "finished_s", "program_version",
                            "spec_sha256", "folder", "runner_pid", "runner_start", "error", "options"})
    EXPECT_TRUE(value.contains(field)) << field;
  EXPECT_EQ(value.at("tasks").size(), 4u);
  const json& train = value.at("tasks").at(1);
  EXPECT_EQ(train.at("path"), "train");
  EXPECT_EQ(train.at("state"), "SUCCEEDED");
  EXPECT_EQ(train.at("duration_s"), 60);
  EXPECT_EQ(train.at("exit_code"), 0);
  EXPECT_EQ(train.at("outputs"), json({{"best_epoch", 17}}));
  EXPECT_EQ(train.at("peak_memory_bytes"), 3 << 29);
  EXPECT_TRUE(value.at("tasks").at(3).at("exit_code").is_null());
  EXPECT_TRUE(value.at("tasks").at(3).at("duration_s").is_null());
  EXPECT_EQ(value.at("artifacts").at(0).at("direction"), "output");
  EXPECT_EQ(value.at("artifacts").at(0).at("metadata"), json({{"layers", 4}}));
}

TEST_F(RunsReport, TasksOfADeadRunnerAreCanceled) {
  const RunRecord run =
      store->create_run({.state = State::kRunning, .runner_pid = getpid(), .runner_start = 1});
  store->put_task({.run_id = run.id, .path = "a", .state = State::kRunning, .started_s = 5});
  store->put_task({.run_id = run.id, .path = "b", .state = State::kPending});
  store->put_task({.run_id = run.id, .path = "c", .state = State::kSucceeded});
  const RunReport read = report();
  EXPECT_EQ(read.run.state, State::kCanceled);
  EXPECT_EQ(read.tasks[0].state, State::kCanceled);
  EXPECT_EQ(read.tasks[1].state, State::kCanceled);
  EXPECT_EQ(read.tasks[2].state, State::kSucceeded);
  // Nobody knows when it ended.
  EXPECT_LT(duration_s(read.run, kThen), 0);
  EXPECT_LT(duration_s(read.tasks[0], kThen), 0);
}

TEST_F(RunsReport, ShowsARun) {
  const RunRecord run = test::add_training(*store, kThen, 0.5, "m");
  const std::string text = show_text(report(), {});
  EXPECT_THAT(text, AllOf(HasSubstr("run " + run.id), HasSubstr("duration  1 min 15 s"),
                          HasSubstr("  data    showers.h5\n"), HasSubstr("metrics:\n"),
                          HasSubstr((run.folder / "validate/report").string())));
  EXPECT_THAT(text, HasSubstr("  prepare   CACHED         -      0.00 s           -        -  from "
                              "20200101-000000-abcd\n"));
  EXPECT_THAT(text, HasSubstr("  train     SUCCEEDED      2  1 min 00 s  1 min 58 s  1.5 GiB\n"));
  EXPECT_THAT(text, HasSubstr("  train  loss    0.5\n  train  steps   9007199254740993\n"));
  EXPECT_THAT(text, HasSubstr(core::sha256("m").substr(0, 12)));
  const RunReport read = report();
  const std::string task = show_task_text(read, read.tasks[1], {});
  EXPECT_THAT(task, AllOf(HasSubstr("Training of the VAE"), HasSubstr("best_epoch  17"),
                          HasSubstr("metadata of model:\n  layers  4\n"), HasSubstr("train.log"),
                          Not(HasSubstr("validate/report"))));
  EXPECT_EQ(task_json(read, read.tasks[1], 0).at("artifacts").size(), 2u);
  EXPECT_EQ(task_json(read, read.tasks[2], 0).at("metrics"), json::array());
}

// Whatever names and errors hold, one record is one line, and nothing reaches the terminal that moves it.
TEST_F(RunsReport, TextIsSafe) {
  const std::string evil = "x\n\x1b[2J\u202e大";
  RunRecord run = store->create_run({.pipeline = evil,
                                     .name = evil + "2",
                                     .state = State::kFailed,
                                     .parameters = {{evil, evil}, {"json", {evil}}},
                                     .program_version = evil,
                                     .error = evil});
  store->put_task(
      {.run_id = run.id, .path = evil, .name = evil + "n", .error = evil, .inputs = {{evil, evil}}});
  store->put_artifact(
      {.run_id = run.id, .task_path = evil, .name = evil, .type = "system.Metrics", .metadata = {{evil, 1}}});
  const RunReport read = report();
  for (const std::string& text :
       {list_text({read.run}, {}), list_text({read.run}, {.width = 20}), show_text(read, {}),
        show_task_text(read, read.tasks[0], {}), compare_text(compare({read, read}), {})}) {
    EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
    EXPECT_EQ(text.find("\u202e"), std::string::npos) << text;
  }
  const std::string list = list_text({read.run}, {});
  EXPECT_EQ(std::count(list.begin(), list.end(), '\n'), 2);
}

TEST_F(RunsReport, ListFitsTheTerminal) {
  test::add_training(*store, kThen, 0.5, "m");
  store->create_run({.pipeline = "große-pipeline-大きさ",
                     .state = State::kFailed,
                     .created_s = kThen + 9,
                     .finished_s = kThen + 10,
                     .error = "train: exit code 1: a very long story of what happened"});
  for (const int width : {90, 100, 120}) {
    std::istringstream lines(list_text(store->runs(), {.width = width}));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(display_width(line), width) << line;
  }
  const std::string text = list_text(store->runs(), {.width = 100});
  EXPECT_THAT(text, AllOf(HasSubstr("große-pip"), HasSubstr("train: exit "), HasSubstr("…")));
  EXPECT_LT(text.find("große"), text.find("training"));  // newest first
}

TEST_F(RunsReport, Filters) {
  const auto add = [&](const char* pipeline, const char* name, State state) {
    store->create_run({.pipeline = pipeline, .name = name, .state = state});
  };
  add("training", "first", State::kSucceeded);
  add("training", "second", State::kFailed);
  add("tuning", "third", State::kFailed);
  const auto names = [&](const RunFilter& filter) {
    std::string text;
    for (const RunRecord& run : filtered(store->runs(), filter)) text += run.name + " ";
    return text;
  };
  EXPECT_EQ(names({}), "third second first ");
  EXPECT_EQ(names({.pipeline = "training"}), "second first ");
  EXPECT_EQ(names({.pipeline = "first"}), "first ");
  EXPECT_EQ(names({.states = {State::kFailed}}), "third second ");
  EXPECT_EQ(names({.states = {State::kFailed, State::kSucceeded}, .limit = 2}), "third second ");
  EXPECT_EQ(names({.pipeline = "training", .states = {State::kSucceeded}, .limit = 1}), "first ");
  EXPECT_EQ(names({.pipeline = "none"}), "");
}

TEST_F(RunsReport, FindsTheArtifactToOpen) {
  const RunRecord run = test::add_training(*store, kThen, 0.5, "m");
  const auto message = [&](const std::string& name) -> std::string {
    try {
      find_artifact(report(), name);
    } catch (const core::UsageError& error) {
      return error.what();
    }
    return "found";
  };
  EXPECT_EQ(find_artifact(report(), "").path, run.folder / "validate/report");
  EXPECT_EQ(find_artifact(report(), "model").path, run.folder / "train/model");
  EXPECT_EQ(find_artifact(report(), "train/metrics").name, "metrics");
  EXPECT_THAT(message("modle"), HasSubstr("did you mean model?"));
  // The outer pipeline gives the same file on: still one.
  ArtifactRecord artifact = find_artifact(report(), "");
  artifact.task_path = "outer";
  store->put_artifact(artifact);
  EXPECT_EQ(find_artifact(report(), "").path, run.folder / "validate/report");
  artifact.path = run.folder / "other.html";
  artifact.type = "system.Artifact";
  store->put_artifact(artifact);
  EXPECT_THAT(message(""), AllOf(HasSubstr("several"), HasSubstr("validate/report, outer/report")));
  store->create_run({.created_s = kThen + 5});
  EXPECT_THAT(message(""), HasSubstr("no HTML output"));
}

TEST_F(RunsReport, ChoosesWhatToDelete) {
  constexpr double kDay = 86400;
  for (const double age : {40.0, 20.0, 10.0, 1.0})
    store->create_run({.name = std::to_string(static_cast<int>(age)),
                       .state = State::kSucceeded,
                       .created_s = kThen - age * kDay});
  store->create_run({.name = "live", .state = State::kRunning, .created_s = kThen - 50 * kDay});
  const auto names = [&](const DeleteFilter& filter) {
    std::vector<std::string> list;
    for (const RunRecord& run : to_delete(store->runs(), filter, kThen)) list.push_back(run.name);
    return list;
  };
  EXPECT_THAT(names({.older_than_days = 15}), ElementsAre("20", "40"));
  EXPECT_THAT(names({.keep = 1}), ElementsAre("10", "20", "40"));
  EXPECT_THAT(names({.older_than_days = 5, .keep = 3}), ElementsAre("40"));
  EXPECT_THAT(names({.older_than_days = 0}), ElementsAre("1", "10", "20", "40"));
  EXPECT_THAT(names({.keep = 0}), ElementsAre("1", "10", "20", "40"));
  EXPECT_THAT(names({.older_than_days = 41}), ElementsAre());
  EXPECT_THAT(names({.keep = 100}), ElementsAre());
}

TEST_F(RunsReport, Compares) {
  const RunRecord first = test::add_training(*store, 1.6e9, 0.5, "m1");
  const RunRecord second = test::add_training(*store, kThen, 0.4, "m2");
  store->put_task({.run_id = second.id, .path = "extra", .state = State::kFailed});
  const Comparison comparison = compare({report(first.id), report(second.id)});
  const json value = to_json(comparison, kThen);
  EXPECT_EQ(value.at("runs").at(0).at("id"), first.id);
  EXPECT_EQ(value.at("parameters"),
            json({{{"name", "epochs"}, {"values", {{first.id, 10}, {second.id, 20}}}}}));
  EXPECT_EQ(value.at("metrics").at(0).at("values"), json({{first.id, 0.5}, {second.id, 0.4}}));
  EXPECT_EQ(value.at("tasks").size(), 5u);
  EXPECT_EQ(value.at("tasks").at(4).at("runs").size(), 1u);
  for (const json& artifact : value.at("artifacts"))
    EXPECT_EQ(artifact.at("equal"), artifact.at("name") == "report") << artifact;
  const std::string text = compare_text(comparison, {});
  EXPECT_THAT(text,
              AllOf(HasSubstr("  epochs  10  20\n"), Not(HasSubstr("showers.h5")),
                    HasSubstr("  train loss   0.5               0.4\n"),
                    HasSubstr("  extra     -                     FAILED\n"),
                    HasSubstr("  validate/report  equal\n"), HasSubstr(core::sha256("m1").substr(0, 12))));
  EXPECT_THROW(compare({report(first.id)}), core::UsageError);
  // Missing artifacts are not equal to each other.
  for (const RunRecord& run : {first, second})
    store->put_artifact({.run_id = run.id, .task_path = "train", .name = "log"});
  EXPECT_FALSE(compare({report(first.id), report(second.id)}).artifacts.back().equal);
}

TEST_F(RunsReport, SaysWhatIsKnownOfARemoteRun) {
  RunRecord run{
      .id = "abc",
      .pipeline = "training",
      .state = State::kRunning,
      .created_s = kThen,
      .remote = RemotePlace{
          .context = "cern", .server = "https://ml.example.org", .state = "CANCELING", .seen_s = kThen + 60}};
  EXPECT_EQ(state_text(run), "CANCELING");
  // What has happened since is unknown.
  EXPECT_EQ(duration_s(run, kThen + 1000), 60);
  EXPECT_EQ(state_note(run, kThen + 61), "");
  const std::string seen = "state of " + local_time_text(kThen + 60);
  EXPECT_EQ(state_note(run, kThen + 1000), seen);
  const std::string local_only = list_text({{.id = "here", .state = State::kFailed}}, {});
  EXPECT_THAT(local_only, AllOf(Not(HasSubstr("WHERE")), HasSubstr("ERROR")));
  const std::string both = list_text({run, {.id = "there"}}, {.now_s = kThen + 1000});
  EXPECT_THAT(both, AllOf(HasSubstr("WHERE"), HasSubstr("cern"), HasSubstr("here"), HasSubstr(seen)));
  run.remote->problem = "it cannot be reached";
  EXPECT_EQ(state_note(run, kThen + 61), seen + ", not refreshed: it cannot be reached");
  EXPECT_EQ(to_json(run, kThen).at("remote").at("problem"), "it cannot be reached");
  // Unfinished remote runs are never chosen for deletion by age or number.
  EXPECT_TRUE(to_delete({run}, {.keep = 0}, kThen + 1000).empty());
  run.state = State::kSucceeded;
  run.remote->problem.clear();
  EXPECT_EQ(state_note(run, kThen + 1000), "");
  EXPECT_EQ(to_delete({run}, {.keep = 0}, kThen + 1000).size(), 1u);
}

}  // namespace
