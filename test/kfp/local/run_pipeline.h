#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "core/staged_output.h"
#include "kfp/ir/document.h"
#include "kfp/local/runner.h"

namespace test {

/// Records what a run tells.
class Recorder : public kfp::local::Observer {
 public:
  void on_task(const kfp::local::TaskRecord& task) override { states[task.path].push_back(task.state); }
  void on_warning(const std::string& message) override { warnings.push_back(message); }

  std::map<std::string, std::vector<kfp::local::State>> states;
  std::vector<std::string> warnings;
};

/// A folder with a store, removed afterwards; runs pipelines written as YAML.
class LocalRun : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder = std::filesystem::temp_directory_path() /
             (std::string("kfp-local-") + info->name() + "-" + std::to_string(::getpid()));
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder / "work");
    store = kfp::local::Store::open(folder / "store");
    options.cpus = 2;
    options.working_folder = folder / "work";
    options.program_version = "1";
    options.grace_s = 10;
    options.environment["COUNTS"] = (folder / "work").string();
  }
  void TearDown() override {
    store.reset();
    if (!HasFailure()) std::filesystem::remove_all(folder);
  }

  kfp::local::RunResult run(const kfp::ir::Pipeline& pipeline,
                            const nlohmann::json& parameters = nlohmann::json::object()) {
    recorder = {};
    result = kfp::local::run(pipeline, parameters, options, *store, &recorder);
    return result;
  }
  kfp::local::RunResult run(const std::string& yaml,
                            const nlohmann::json& parameters = nlohmann::json::object()) {
    return run(kfp::ir::parse_pipeline(yaml), parameters);
  }

  kfp::local::TaskRecord task(const std::string& path) const {
    for (const auto& record : store->tasks(result.run.id))
      if (record.path == path) return record;
    ADD_FAILURE() << "no task " << path;
    return {};
  }
  kfp::local::State state(const std::string& path) const { return task(path).state; }
  std::string log(const std::string& path) const { return core::read_file(task(path).log); }
  std::filesystem::path output(const std::string& path, const std::string& name) const {
    for (const auto& record : store->artifacts(result.run.id))
      if (record.task_path == path && record.name == name &&
          record.direction == kfp::local::ArtifactRecord::Direction::kOutput)
        return record.path;
    ADD_FAILURE() << "no artifact " << name << " of " << path;
    return {};
  }
  /// How often tasks wrote a line into `work/<name>`.
  int count(const std::string& name) const {
    std::ifstream stream(folder / "work" / name);
    int lines = 0;
    for (std::string line; std::getline(stream, line);) ++lines;
    return lines;
  }

  std::filesystem::path folder;
  std::unique_ptr<kfp::local::Store> store;
  kfp::local::RunnerOptions options;
  Recorder recorder;
  kfp::local::RunResult result;
};

}  // namespace test
