#include "app/runs_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "app/captured_run.h"
#include "core/error.h"
#include "core/staged_output.h"
#include "kfp/local/sample_runs.h"
#include "kfp/local/text_table.h"
#include "support/temp_folder.h"

// `calopipe runs …` and what it prints.
namespace {

namespace fs = std::filesystem;
using kfp::local::RunRecord;
using kfp::local::State;
using kfp::local::Store;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

int parse_and_run(std::vector<std::string> arguments, const app::RunsCommand::Resume& resume = {}) {
  CLI::App app("calopipe");
  app::RunsCommand command(app, resume);
  arguments.insert(arguments.begin(), "runs");
  std::reverse(arguments.begin(), arguments.end());
  app.parse(arguments);
  const int code = command.run();
  std::fflush(stdout);
  return code;
}

test::CapturedRun calopipe_runs(const std::vector<std::string>& arguments,
                                const app::RunsCommand::Resume& resume = {}) {
  return test::captured([&] { return parse_and_run(arguments, resume); });
}

// The same on a terminal of its own, where `input` is typed.
test::CapturedRun on_terminal(const std::vector<std::string>& arguments, const std::string& input,
                              int columns = 80) {
  int terminal = -1;
  const winsize size{.ws_row = 24, .ws_col = static_cast<unsigned short>(columns)};
  const pid_t child = forkpty(&terminal, nullptr, nullptr, &size);
  if (child == 0) {
    int code = 99;
    try {
      code = parse_and_run(arguments);
    } catch (const core::Error& error) {
      code = static_cast<int>(error.exit_code());
    } catch (const std::exception&) {
    }
    _exit(code);
  }
  EXPECT_EQ(write(terminal, input.data(), input.size()), static_cast<ssize_t>(input.size()));
  test::CapturedRun result;
  char block[4096];
  for (ssize_t size_read = 0; (size_read = read(terminal, block, sizeof block)) > 0;)
    result.out.append(block, static_cast<std::size_t>(size_read));
  int status = 0;
  waitpid(child, &status, 0);
  close(terminal);
  result.code = WEXITSTATUS(status);
  return result;
}

class RunsCommand : public testing::Test {
 protected:
  RunsCommand() { setenv("CALOPIPE_STORE", (folder / "store").c_str(), 1); }
  ~RunsCommand() override { unsetenv("CALOPIPE_STORE"); }

  template <class Error>
  std::string refused(const std::vector<std::string>& arguments) {
    try {
      calopipe_runs(arguments);
    } catch (const Error& error) {
      return error.what();
    }
    ADD_FAILURE() << "was not refused";
    return {};
  }

  const test::TempFolder folder;
  const std::unique_ptr<Store> store = Store::open(folder / "store");
};

TEST_F(RunsCommand, Lists) {
  EXPECT_EQ(calopipe_runs({"list"}).out, "no runs\n");
  EXPECT_EQ(calopipe_runs({"list", "--json"}).out, "[]\n");
  const RunRecord run = test::add_training(*store, 1.7e9, 0.5, "m");
  const RunRecord failed =
      store->create_run({.pipeline = "tuning", .state = State::kFailed, .error = "train: 1"});
  const std::string out = calopipe_runs({"list"}).out;
  EXPECT_THAT(out,
              AllOf(HasSubstr("RUN "), HasSubstr(run.id), HasSubstr("train: 1"), HasSubstr("1 min 15 s")));
  EXPECT_LT(out.find(failed.id), out.find(run.id));
  const json all = json::parse(calopipe_runs({"list", "--json"}).out);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all.at(1).at("parameters").at("epochs"), 10);
  for (const auto& arguments : {std::vector<std::string>{"list", "--json", "--limit", "1"},
                                {"list", "--json", "--state", "failed"},
                                {"list", "--json", "--pipeline", "tuning"}}) {
    const json some = json::parse(calopipe_runs(arguments).out);
    ASSERT_EQ(some.size(), 1u);
    EXPECT_EQ(some.at(0).at("id"), failed.id);
  }
  EXPECT_THAT(refused<core::UsageError>({"list", "--state", "LOST"}), HasSubstr("PENDING, RUNNING"));
  EXPECT_THROW(calopipe_runs({"list", "--limit", "0"}), CLI::ValidationError);
}

TEST_F(RunsCommand, LookingMakesNoStore) {
  const std::string none = (folder / "none").string();
  EXPECT_THAT(refused<core::InputError>({"list", "--store", none}), HasSubstr("no store of runs"));
  EXPECT_THAT(refused<core::InputError>({"show", "latest", "--store", none}), HasSubstr("no store of runs"));
  setenv("CALOPIPE_STORE", none.c_str(), 1);
  EXPECT_EQ(calopipe_runs({"list"}).out, "no runs\n");
  EXPECT_THROW(calopipe_runs({"show", "latest"}), core::InputError);
  EXPECT_FALSE(fs::exists(none));
  // An option outranks the environment.
  test::add_training(*store, 1.7e9, 0.5, "m");
  EXPECT_EQ(json::parse(calopipe_runs({"list", "--json", "--store", (folder / "store").string()}).out).size(),
            1u);
  core::write_file(folder / "bad/runs.db", std::string(5000, 'x'));
  EXPECT_THROW(calopipe_runs({"list", "--store", (folder / "bad").string()}), core::InputError);
}

TEST_F(RunsCommand, Shows) {
  const RunRecord run = test::add_training(*store, 1.7e9, 0.5, "m");
  EXPECT_THAT(calopipe_runs({"show", "latest"}).out,
              AllOf(HasSubstr("run " + run.id), HasSubstr("tasks:\n")));
  EXPECT_EQ(json::parse(calopipe_runs({"show", run.id, "--json"}).out).at("tasks").size(), 4u);
  EXPECT_THAT(calopipe_runs({"show", run.id.substr(0, 6), "--task", "train"}).out, HasSubstr("best_epoch"));
  EXPECT_EQ(json::parse(calopipe_runs({"show", "latest", "--task", "train", "--json"}).out).at("attempt"), 2);
  EXPECT_THAT(refused<core::UsageError>({"show", "latest", "--task", "trian"}),
              HasSubstr("did you mean train?"));
  std::string typo = run.id;
  typo.back() = typo.back() == 'x' ? 'y' : 'x';
  EXPECT_THAT(refused<core::UsageError>({"show", typo}), HasSubstr("did you mean " + run.id));
}

TEST_F(RunsCommand, PrintsLogs) {
  test::add_training(*store, 1.7e9, 0.5, "m");
  EXPECT_EQ(calopipe_runs({"logs", "latest", "train", "--tail", "1"}).out, "epoch 3\n");
  EXPECT_EQ(calopipe_runs({"logs", "latest", "--tail", "1", "--follow"}).out,
            "train | epoch 3\nvalidate | done\n");
  const json value = json::parse(calopipe_runs({"logs", "latest", "train", "--json"}).out);
  EXPECT_EQ(value.at("log"), "epoch 1\nepoch 2\nepoch 3\n");
  EXPECT_EQ(value.at("task"), "train");
}

TEST_F(RunsCommand, Opens) {
  const RunRecord run = test::add_training(*store, 1.7e9, 0.5, "m");
  const std::string report = (run.folder / "validate/report").string();
  // A program in place of the desktop's, which writes down what it is told to open.
  const fs::path opened = folder / "opened", bin = folder / "bin";
  fs::create_directory(bin);
  core::write_file(bin / "xdg-open", "#!/bin/sh\nprintf '%s' \"$1\" > " + opened.string() + "\n");
  fs::permissions(bin / "xdg-open", fs::perms(0755));
  const std::string path = getenv("PATH");
  setenv("PATH", (bin.string() + ":" + path).c_str(), 1);
  unsetenv("WAYLAND_DISPLAY");
  unsetenv("DISPLAY");
  EXPECT_EQ(calopipe_runs({"open", "latest"}).out, report + "\n");
  EXPECT_FALSE(fs::exists(opened));
  setenv("DISPLAY", ":0", 1);
  EXPECT_EQ(calopipe_runs({"open", "latest", "--print"}).out, report + "\n");
  EXPECT_FALSE(fs::exists(opened));
  const json value = json::parse(calopipe_runs({"open", "latest", "--json"}).out);
  EXPECT_EQ(value.at("opened"), true);
  EXPECT_EQ(value.at("path"), report);
  EXPECT_EQ(core::read_file(opened), report);
  calopipe_runs({"open", "latest", "train/model"});
  EXPECT_EQ(core::read_file(opened), (run.folder / "train/model").string());
  core::write_file(bin / "xdg-open", "#!/bin/sh\nexit 3\n");
  fs::permissions(bin / "xdg-open", fs::perms(0755));
  EXPECT_EQ(json::parse(calopipe_runs({"open", "latest", "--json"}).out).at("opened"), false);
  setenv("PATH", path.c_str(), 1);
  unsetenv("DISPLAY");
  fs::remove(report);
  EXPECT_THAT(refused<core::InputError>({"open", "latest"}), HasSubstr("no longer exists"));
}

TEST_F(RunsCommand, Compares) {
  const RunRecord first = test::add_training(*store, 1.6e9, 0.5, "m1");
  const RunRecord second = test::add_training(*store, 1.8e9, 0.4, "m2");
  EXPECT_THAT(calopipe_runs({"compare", first.id, "latest"}).out, HasSubstr("epochs"));
  EXPECT_EQ(
      json::parse(calopipe_runs({"compare", second.id, first.id, "--json"}).out).at("runs").at(0).at("id"),
      second.id);
  EXPECT_THAT(refused<core::UsageError>({"compare", "latest", second.id}), HasSubstr("two different runs"));
  EXPECT_THROW(calopipe_runs({"compare", first.id}), CLI::ParseError);
}

TEST_F(RunsCommand, DeletesAfterAYes) {
  const RunRecord first = test::add_training(*store, 1.6e9, 0.5, "m1");
  const RunRecord second = test::add_training(*store, 1.8e9, 0.4, "m2");
  const test::CapturedRun no = on_terminal({"delete", first.id}, "n\n");
  EXPECT_EQ(no.code, 0);
  EXPECT_THAT(no.out, AllOf(HasSubstr("delete this run? [y/N]"), HasSubstr("nothing was deleted")));
  EXPECT_EQ(on_terminal({"delete", first.id}, "\n").code, 0);
  EXPECT_EQ(store->runs().size(), 2u);
  const test::CapturedRun yes = on_terminal({"delete", first.id, first.id}, "y\n");
  EXPECT_THAT(yes.out, HasSubstr("deleted " + first.id));
  ASSERT_EQ(store->runs().size(), 1u);
  EXPECT_FALSE(fs::exists(first.folder));
  EXPECT_EQ(json::parse(calopipe_runs({"delete", second.id, "--yes", "--json"}).out),
            json({{"deleted", {second.id}}}));
  EXPECT_TRUE(store->runs().empty());
}

TEST_F(RunsCommand, DeletesNothingWithoutAsking) {
  const RunRecord run = test::add_training(*store, 1.6e9, 0.5, "m1");
  int standard_input = dup(STDIN_FILENO), none[2];
  ASSERT_EQ(pipe(none), 0);
  dup2(none[0], STDIN_FILENO);
  EXPECT_THAT(refused<core::UsageError>({"delete", run.id}), HasSubstr("--yes"));
  dup2(standard_input, STDIN_FILENO);
  for (const int file : {standard_input, none[0], none[1]}) close(file);
  EXPECT_THROW(calopipe_runs({"delete", "--yes"}), core::UsageError);
  EXPECT_THROW(calopipe_runs({"delete", run.id, "--keep", "1", "--yes"}), core::UsageError);
  EXPECT_THROW(calopipe_runs({"delete", run.id, "2099", "--yes"}), core::UsageError);
  const RunRecord live = store->create_run({.state = State::kRunning});
  EXPECT_THAT(refused<core::UsageError>({"delete", run.id, live.id, "--yes"}), HasSubstr("is running"));
  EXPECT_EQ(store->runs().size(), 2u);
}

TEST_F(RunsCommand, DeletesByAgeAndNumber) {
  test::add_training(*store, 1.6e9, 0.5, "m1");
  const RunRecord middle = test::add_training(*store, 1.65e9, 0.5, "m2");
  const RunRecord newest = store->create_run({.state = State::kFailed});
  EXPECT_EQ(calopipe_runs({"delete", "--older-than", "1", "--keep", "2", "--yes"}).code, 0);
  EXPECT_EQ(store->runs().size(), 2u);
  EXPECT_EQ(calopipe_runs({"delete", "--keep", "2", "--yes"}).out, "nothing to delete\n");
  calopipe_runs({"delete", "--older-than", "1", "--yes"});
  ASSERT_EQ(store->runs().size(), 1u);
  EXPECT_EQ(store->run("latest").id, newest.id);
  // What a live run uses is kept, and the rest goes.
  const RunRecord used = test::add_training(*store, 1.6e9, 0.5, "m1");
  const RunRecord live = store->create_run({.state = State::kRunning});
  store->put_artifact({.run_id = live.id,
                       .task_path = "t",
                       .direction = kfp::local::ArtifactRecord::Direction::kInput,
                       .name = "model",
                       .path = used.folder / "train/model"});
  EXPECT_EQ(json::parse(calopipe_runs({"delete", "--keep", "0", "--yes", "--json"}).out),
            json({{"deleted", {newest.id}}}));
  EXPECT_EQ(store->runs().size(), 2u);
}

TEST_F(RunsCommand, TextFitsTheTerminal) {
  store->create_run({.pipeline = "große-pipeline-大きさ",
                     .state = State::kFailed,
                     .error = "train: exit code 1: " + std::string(200, 'x')});
  for (const int columns : {90, 120}) {
    const std::string out = on_terminal({"list"}, "", columns).out;
    EXPECT_THAT(out, HasSubstr("…"));
    std::istringstream lines(out);
    for (std::string line; std::getline(lines, line);) {
      if (!line.empty() && line.back() == '\r') line.pop_back();
      EXPECT_LE(kfp::local::display_width(line), columns) << line;
    }
  }
  EXPECT_THAT(calopipe_runs({"list"}).out, HasSubstr(std::string(200, 'x')));
}

TEST_F(RunsCommand, ResumeIsThereWhereSomethingDoesIt) {
  const RunRecord run = test::add_training(*store, 1.6e9, 0.5, "m1");
  EXPECT_THROW(calopipe_runs({"resume", run.id}), CLI::ParseError);
  app::RunsCommand::ResumeRequest asked;
  const auto resume = [&](const app::RunsCommand::ResumeRequest& request) {
    asked = request;
    return 5;
  };
  EXPECT_EQ(calopipe_runs({"resume", "latest", "--json"}, resume).code, 5);
  EXPECT_EQ(asked.id, run.id);
  EXPECT_EQ(asked.store, store->folder());
  EXPECT_TRUE(asked.json);
  EXPECT_THROW(calopipe_runs({"resume", "2099"}, resume), core::UsageError);
}

}  // namespace
