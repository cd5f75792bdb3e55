#include "kfp/local/process.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "core/error.h"
#include "core/liveness.h"
#include "core/staged_output.h"

namespace {

namespace fs = std::filesystem;
using kfp::local::Process;
using kfp::local::ProcessEnd;
using ::testing::HasSubstr;

class ProcessTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder = fs::temp_directory_path() / ("kfp-process-" + std::to_string(::getpid()));
    fs::remove_all(folder);
    fs::create_directories(folder);
  }
  void TearDown() override { fs::remove_all(folder); }

  kfp::local::ProcessOptions shell(const std::string& script) const {
    return {.program = "/bin/sh", .arguments = {"sh", "-c", script}, .log = folder / "log"};
  }
  static ProcessEnd wait(Process& process) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < until) {
      if (const auto end = process.poll()) return *end;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    ADD_FAILURE() << "the process did not end";
    return {};
  }
  static bool ends(pid_t pid) {
    for (int i = 0; i < 5000; ++i) {
      if (core::process_start(pid) == 0) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return false;
  }
  std::string log() const { return core::read_file(folder / "log"); }

  fs::path folder;
};

TEST_F(ProcessTest, GivesArgumentsUntouchedAndCollectsBothStreams) {
  const std::string nasty = "a b $(touch x) `id` ; \"q\" 'p' \\ \n Zürich 💥 *";
  Process process({.program = "/bin/sh",
                   .arguments = {"sh", "-c", "printf %s \"$1\"; echo error >&2", "sh", nasty},
                   .environment = {{"EXTRA", "1"}},
                   .working_folder = folder,
                   .log = folder / "log"});
  EXPECT_EQ(wait(process).exit_code, 0);
  EXPECT_EQ(log(), nasty + "error\n");
  EXPECT_FALSE(fs::exists(folder / "x"));
}

TEST_F(ProcessTest, TellsExitCodesAndSignals) {
  Process process(shell("exit 7"));
  EXPECT_EQ(wait(process).exit_code, 7);
  Process killed(shell("kill -9 $$"));
  const ProcessEnd end = wait(killed);
  EXPECT_EQ(end.signal, SIGKILL);
  EXPECT_EQ(end.exit_code, 137);
}

TEST_F(ProcessTest, HasItsFolderEnvironmentAndNoInput) {
  kfp::local::ProcessOptions options = shell("pwd; echo $ADDED; cat; echo end");
  options.working_folder = folder;
  options.environment = {{"ADDED", "value"}};
  Process process(options);
  EXPECT_EQ(wait(process).exit_code, 0);
  EXPECT_EQ(log(), fs::canonical(folder).string() + "\nvalue\nend\n");
}

TEST_F(ProcessTest, SignalsReachItsChildrenToo) {
  Process process(shell("sleep 1000 & echo $! > " + (folder / "child").string() + "; wait"));
  while (!fs::exists(folder / "child") || fs::file_size(folder / "child") == 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  const pid_t child = std::stoi(core::read_file(folder / "child"));
  process.signal(SIGTERM);
  EXPECT_EQ(wait(process).signal, SIGTERM);
  EXPECT_TRUE(ends(child));
}

TEST_F(ProcessTest, MeasuresTimeAndMemory) {
  Process idle(shell("exit 0"));
  const ProcessEnd small = wait(idle);
  Process busy({.program = "/usr/bin/python3",
                .arguments = {"python3", "-c", "x = b'1' * 200_000_000; sum(i for i in range(2_000_000))"},
                .log = folder / "log"});
  const ProcessEnd large = wait(busy);
  EXPECT_EQ(large.exit_code, 0) << log();
  EXPECT_GT(large.peak_memory_bytes, 200'000'000);
  EXPECT_GT(large.cpu_s, small.cpu_s);
}

TEST_F(ProcessTest, SaysWhatCannotBeStarted) {
  core::write_file(folder / "text", "no program");
  kfp::local::ProcessOptions options = shell("");
  options.program = folder / "text";
  EXPECT_THROW(Process{options}, core::InputError);
  options = shell("");
  options.working_folder = folder / "missing";
  EXPECT_THROW(Process{options}, core::InputError);
  options = shell("");
  options.arguments.emplace_back(std::string(4 << 20, 'x'));
  try {
    Process process(options);
    FAIL();
  } catch (const core::InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("by artifact"));
  }
}

TEST_F(ProcessTest, FindsPrograms) {
  using kfp::local::find_program;
  EXPECT_EQ(find_program("tool", {{"tool", "/opt/tool"}}, folder), "/opt/tool");
  EXPECT_TRUE(find_program("sh", {}, folder).is_absolute());
  core::write_file(folder / "mine", "#!/bin/sh\n");
  EXPECT_THROW(find_program("./mine", {}, folder), core::InputError);  // not executable
  fs::permissions(folder / "mine", fs::perms::owner_all);
  EXPECT_EQ(find_program("./mine", {}, folder).lexically_normal(), folder / "mine");
  EXPECT_THROW(find_program("no-such-program-here", {}, folder), core::InputError);
}

// The kernel ends the program when the runner is gone.
TEST_F(ProcessTest, DiesWithItsParent) {
  const pid_t runner = ::fork();
  if (runner == 0) {
    Process process(shell("echo $$ > " + (folder / "task").string() + "; exec sleep 1000"));
    ::pause();
    ::_exit(0);
  }
  while (!fs::exists(folder / "task") || fs::file_size(folder / "task") == 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  const pid_t task = std::stoi(core::read_file(folder / "task"));
  EXPECT_NE(core::process_start(task), 0);
  ::kill(runner, SIGKILL);
  ::waitpid(runner, nullptr, 0);
  EXPECT_TRUE(ends(task));
}

}  // namespace
