#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>

#include "kfp/ir/goldens.h"
#include "kfp/local/run_pipeline.h"

// Pipelines that others wrote: the SDK's compiled ones whose commands exist here, and Python components.
namespace {

namespace fs = std::filesystem;
using kfp::local::State;
using nlohmann::json;
using ::testing::HasSubstr;

class GoldensRunTest : public test::LocalRun {
 protected:
  void SetUp() override {
    LocalRun::SetUp();
    if (test::goldens_folder().empty()) GTEST_SKIP() << "the pipelines of the SDK's tests are not here";
  }
  void run_golden(const std::string& name, const json& parameters = json::object()) {
    run(kfp::ir::read_pipeline(test::goldens_folder() / (name + ".yaml")), parameters);
    EXPECT_EQ(result.run.state, State::kSucceeded) << name << ": " << result.run.error;
  }
  void add_program(const std::string& name, const std::string& script) {
    const fs::path file = folder / "bin" / name;
    core::write_file(file, "#!/bin/sh\n" + script);
    fs::permissions(file, fs::perms::owner_all);
    options.programs[name] = file;
    options.environment["PATH"] = (folder / "bin").string() + ":" + std::getenv("PATH");
  }
};

TEST_F(GoldensRunTest, PlainCommands) {
  run_golden("hello_world");
  EXPECT_EQ(log("echo"), "hello world\n");
  run_golden("arguments_parameters", {{"param1", "a b"}, {"param2", "$HOME"}});
  EXPECT_EQ(log("echo"), "a b-$HOME\n");
  run_golden("critical__container_component_with_no_inputs");
  EXPECT_EQ(log("hello-world-container"), "hello world\n");
  run_golden("run_as_user_cache_enabled");
  run_golden("pipeline_with_only_display_name");
  EXPECT_EQ(result.run.name, store->run("latest").name);
  run_golden("mounted_cabundle_configmap");
}

TEST_F(GoldensRunTest, ExitHandler) {
  run_golden("pipeline_with_task_final_status_yaml", {{"message", "ok"}});
  EXPECT_EQ(log("exit-handler-1/print-op"), "ok\n");
  EXPECT_THAT(log("exit-op"), HasSubstr("user input: ok pipeline status: {\"error\":{},"));
  EXPECT_THAT(log("exit-op"), HasSubstr("\"state\":\"COMPLETE\""));
}

TEST_F(GoldensRunTest, ProgramsOfTheImage) {
  add_program("my_program", "for x; do last=$x; done; printf 'got %s' \"$1\" > \"$last\"\n");
  run_golden("container_io", {{"text", "t"}});
  EXPECT_EQ(result.outputs, json({{"output_path", "got t"}}));
  run_golden("container_with_concat_placeholder", {{"text1", "one"}});
  EXPECT_THAT(task("container-with-concat-placeholder").outputs["output_path"].get<std::string>(),
              HasSubstr("got prefix-one/"));
}

TEST_F(GoldensRunTest, ConcatInAShell) {
  options.programs["sh"] = "/bin/bash";
  run_golden("pipeline_with_concat_placeholder");
}

TEST_F(GoldensRunTest, SequentialThroughAShell) {
  add_program("gsutil", "printf 'content of %s' $2 > $3\n");
  run_golden("sequential_v2", {{"url", "gs://x"}});
  EXPECT_EQ(log("echo"), "content of gs://x\n");
}

TEST_F(GoldensRunTest, LongRunningInNoTime) {
  add_program("sleep", "");
  run_golden("long-running");
  EXPECT_THAT(log("wait-op"), HasSubstr("done1"));
}

// Python components run here as in the SDK's own local runner, with the same outputs.
TEST_F(GoldensRunTest, PythonComponents) {
  const char* python = std::getenv("CALOPIPE_PYTHON");
  if (python == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  const std::string path = fs::path(python).parent_path().string() + ":" + std::getenv("PATH");
  const std::string peer =
      fmt::format("PATH='{}' '{}' '{}/test/kfp/local/peer.py'", path, python, CALOPIPE_SOURCE_DIR);
  fs::create_directories(folder / "peer");
  ASSERT_EQ(std::system(fmt::format("{} compile '{}'", peer, (folder / "peer").string()).c_str()), 0);
  options.environment["PATH"] = path;
  for (const std::string name : {"values", "loops", "branches", "nested"}) {
    run(kfp::ir::read_pipeline(folder / "peer" / (name + ".yaml")));
    EXPECT_EQ(result.run.state, State::kSucceeded) << name << ": " << result.run.error;
    const fs::path theirs = folder / "peer" / (name + ".out");
    ASSERT_EQ(std::system(fmt::format("{} run {} '{}' > '{}' 2>&1", peer, name,
                                      (folder / "peer/root").string(), theirs.string())
                              .c_str()),
              0)
        << core::read_file(theirs);
    std::string text = core::read_file(theirs);
    text.pop_back();
    EXPECT_EQ(result.outputs, json::parse(text.substr(text.rfind('\n') + 1))) << name;
  }
}

}  // namespace
