#include "kfp/local/terminal_status.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "core/staged_output.h"

namespace {

using kfp::local::RunRecord;
using kfp::local::State;
using kfp::local::StatusOptions;
using kfp::local::TaskRecord;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kStart = 4e9;  // behind the start of the run, which is now

class TerminalStatusTest : public ::testing::Test {
 protected:
  void SetUp() override {
    log = std::filesystem::temp_directory_path() / ("kfp-status-" + std::to_string(::getpid()) + ".txt");
    std::string text;
    for (int i = 1; i <= 15; ++i) text += "line " + std::to_string(i) + "\n";
    core::write_file(log, text + "10 %\r20 %\r\033[31mno memory\033[0m\n");
  }
  void TearDown() override { std::filesystem::remove(log); }

  // What a run of two tasks, of which one fails, shows.
  std::string shown(const StatusOptions& options) const {
    ::testing::internal::CaptureStderr();
    {
      const auto status = kfp::local::terminal_status(options);
      RunRecord run{.id = "r1", .name = "Training", .state = State::kRunning};
      status->on_run(run);
      TaskRecord good{.path = "prepare", .name = "prepare"};
      TaskRecord bad{.path = "loop[1]/train", .name = "train", .log = log};
      TaskRecord dag{.path = "loop", .name = "loop", .is_dag = true};
      for (TaskRecord* task : {&good, &bad, &dag}) {
        status->on_task(*task);
        task->state = State::kRunning;
        task->attempt = 1;
        task->started_s = kStart;
        status->on_task(*task);
      }
      status->on_warning("something is odd");
      status->on_tick();
      good.state = State::kSucceeded;
      good.finished_s = kStart + 41;
      status->on_task(good);
      bad.state = State::kFailed;
      bad.error = "exit code 1";
      bad.finished_s = kStart + 3.5;
      status->on_task(bad);
      run.state = State::kFailed;
      run.error = "loop[1]/train: exit code 1";
      status->on_run(run);
    }
    return ::testing::internal::GetCapturedStderr();
  }

  std::filesystem::path log;
};

TEST_F(TerminalStatusTest, WritesPlainLines) {
  const std::string text = shown({.style = StatusOptions::Style::kLines});
  EXPECT_THAT(text, HasSubstr("[prepare] running\n"));
  EXPECT_THAT(text, HasSubstr("[prepare] done in 41 s\n"));
  EXPECT_THAT(text, HasSubstr("[loop[1]/train] failed after 3.5 s: exit code 1\n    | line 7\n"));
  EXPECT_THAT(text, HasSubstr("    | line 15\n    | no memory\n    log: " + log.string() + "\n"));
  EXPECT_THAT(text, HasSubstr("run r1 failed: loop[1]/train: exit code 1\n"));
  EXPECT_THAT(text, HasSubstr("warning: something is odd\n"));
  EXPECT_THAT(text, Not(HasSubstr("[loop]")));
  EXPECT_THAT(text, Not(HasSubstr("line 6\n")));
  EXPECT_THAT(text, Not(HasSubstr("\033")));
}

TEST_F(TerminalStatusTest, QuietShowsFailuresAndWarningsOnly) {
  const std::string text = shown({.style = StatusOptions::Style::kQuiet});
  EXPECT_THAT(text, HasSubstr("failed after 3.5 s"));
  EXPECT_THAT(text, HasSubstr("warning: something is odd"));
  EXPECT_THAT(text, Not(HasSubstr("prepare")));
}

TEST_F(TerminalStatusTest, DrawsATableThatFitsTheTerminal) {
  const std::string text = shown({.style = StatusOptions::Style::kTable, .width = 70});
  EXPECT_THAT(text, HasSubstr("  loop[1]/train                    runs"));
  EXPECT_THAT(text, HasSubstr("no mem"));         // the last line of the log of what runs …
  EXPECT_THAT(text, Not(HasSubstr("20 %")));      // … as a terminal would show it …
  EXPECT_THAT(text, HasSubstr("\033[2A\033[J"));  // … in a table of two tasks that is drawn over
  EXPECT_THAT(text, HasSubstr("  prepare                          done                41 s\n"));
  EXPECT_THAT(text, HasSubstr("failed after 3.5 s"));
}

}  // namespace
