#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdlib>
#include <optional>
#include <thread>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/staged_output.h"
#include "pipeline/components.h"
#include "pipeline/full_sim_process.h"
#include "support/temp_folder.h"

namespace {

using testing::HasSubstr;

// Sets a variable of the environment, until the test ends.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    setenv(name, value.c_str(), 1);
  }
  ~Variable() {
    if (before_)
      setenv(name_, before_->c_str(), 1);
    else
      unsetenv(name_);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

// Programs that answer as calopipe-fullsim does: what they are given ends with --report FILE.
class FullSimProcess : public testing::Test {
 protected:
  std::filesystem::path program(const std::string& script) {
    const auto path = folder_ / "calopipe-fullsim";
    core::write_file(path, "#!/bin/sh\nfor report; do :; done\n" + script);
    chmod(path.c_str(), 0755);
    return path;
  }

  test::TempFolder folder_;
};

TEST_F(FullSimProcess, IsFoundByVariableAndPath) {
  const auto path = program("");
  {
    const Variable named("CALOPIPE_FULLSIM", path.string());
    EXPECT_EQ(pipeline::find_full_sim(), path);
  }
  {
    const Variable named("CALOPIPE_FULLSIM", (folder_ / "nothing").string());
    EXPECT_THROW(pipeline::find_full_sim(), core::UnavailableError);
  }
}

TEST_F(FullSimProcess, IsMissedWithAWordOnWhatToDo) {
  const Variable named("CALOPIPE_FULLSIM", ""), path("PATH", folder_.path().string());
  // Beside this test's program it stands where Geant4 was found.
  if (std::filesystem::exists(std::filesystem::read_symlink("/proc/self/exe").parent_path() /
                              "calopipe-fullsim"))
    GTEST_SKIP() << "calopipe-fullsim is built";
  try {
    pipeline::find_full_sim();
    ADD_FAILURE();
  } catch (const core::UnavailableError& error) {
    EXPECT_THAT(error.what(), HasSubstr("doc/geant4.md"));
  }
  const auto there = program("");
  EXPECT_EQ(pipeline::find_full_sim(), there);
}

TEST_F(FullSimProcess, GivesItsFigures) {
  const auto path = program("printf '{\"showers\": 7, \"first\": \"%s\"}' \"$1\" > \"$report\"\n");
  const nlohmann::json figures = pipeline::run_full_sim(path, {"a b; $(c)", "--out", "x"});
  EXPECT_EQ(figures.at("showers"), 7);
  EXPECT_EQ(figures.at("first"), "a b; $(c)");  // no shell has seen it
}

TEST_F(FullSimProcess, PassesItsErrorsOn) {
  const auto path = program(
      "printf '{\"error\": {\"exit_code\": 3, \"message\": \"is wrong\", \"file\": \"d.yaml\", "
      "\"field\": \"layers\", \"hint\": \"count\"}}' > \"$report\"\nexit 3\n");
  try {
    pipeline::run_full_sim(path, {});
    ADD_FAILURE();
  } catch (const core::InputError& error) {
    EXPECT_STREQ(error.what(), "d.yaml: layers: is wrong (count)");
  }
  EXPECT_THROW(pipeline::run_full_sim(program("exit 1\n"), {}), core::UnavailableError);
  EXPECT_THROW(pipeline::run_full_sim(program("kill -9 $$\n"), {}), core::UnavailableError);
}

TEST_F(FullSimProcess, HearsOfAnInterruption) {
  const auto path = program(
      "trap 'printf \"{\\\"error\\\": {\\\"exit_code\\\": 130, \\\"message\\\": \\\"5 are kept\\\"}}\" > "
      "\"$report\"; exit 130' TERM\n"
      ": > \"$0.started\"\nwhile :; do sleep 0.02; done\n");
  std::thread signal([&] {
    while (!std::filesystem::exists(path.string() + ".started"))
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    core::set_interrupt(true);
  });
  try {
    pipeline::run_full_sim(path, {});
    ADD_FAILURE();
  } catch (const core::Interrupted& error) {
    EXPECT_THAT(error.what(), HasSubstr("5 are kept"));
  }
  signal.join();
  core::set_interrupt(false);
}

TEST(Simulate, TellsItsProgramEverything) {
  pipeline::Simulate simulate;
  simulate.energy_gev = {1, 10};
  simulate.mesh = "SiW-lowgran";
  simulate.measure_sampling_fraction = true;
  simulate.fast_model.path = "m.onnx";
  simulate.fast_options = {"containment=0.9"};
  simulate.showers.path = "out.h5";
  const std::vector<std::string> all = simulate.arguments("p");
  const auto value_of = [&](const std::string& option) {
    const auto found = std::find(all.begin(), all.end(), option);
    return found == all.end() ? "" : *(found + 1);
  };
  EXPECT_EQ(value_of("--detector"), "SiW");
  EXPECT_EQ(value_of("--energy-gev"), "1,10");
  EXPECT_EQ(value_of("--angle-deg"), "90");
  EXPECT_EQ(value_of("--mesh"), "SiW-lowgran");
  EXPECT_EQ(value_of("--sampling-fraction"), "measure");
  EXPECT_EQ(value_of("--fast-model"), "m.onnx");
  EXPECT_EQ(value_of("--fast-option"), "containment=0.9");
  EXPECT_EQ(value_of("--out"), "out.h5");
  EXPECT_EQ(value_of("--parts"), "p");
  simulate.max_angle_deg = 90;
  simulate.min_angle_deg = 50;
  simulate.detector_file.path = "d.yaml";
  const std::vector<std::string> range = simulate.arguments({});
  EXPECT_THAT(range, testing::Contains("--min-angle-deg"));
  EXPECT_THAT(range, testing::Not(testing::Contains("--angle-deg")));
  EXPECT_THAT(range, testing::Not(testing::Contains("--parts")));
  EXPECT_THAT(range, testing::Contains("d.yaml"));
}

}  // namespace
