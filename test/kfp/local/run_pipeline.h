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

/// A pipeline made of shell commands, for tests that need a graph rather than YAML.
class Sketch {
 public:
  struct Output {
    std::string name;
    bool is_artifact = true;
    std::string type = "STRING";
  };

  Sketch() {
    spec = {{"pipelineInfo", {{"name", "sketch"}}},
            {"schemaVersion", "2.1.0"},
            {"root", {{"dag", {{"tasks", nlohmann::json::object()}}}}}};
  }

  /// Adds a component that runs `sh -c script sh arguments…`.
  nlohmann::json& component(const std::string& name, const std::string& script,
                            const std::vector<std::string>& arguments = {}) {
    nlohmann::json args = {script, "sh"};
    for (const std::string& argument : arguments) args.push_back(argument);
    spec["deploymentSpec"]["executors"]["exec-" + name]["container"] = {
        {"image", "none"}, {"command", {"sh", "-c"}}, {"args", args}};
    nlohmann::json& component = spec["components"]["comp-" + name];
    component["executorLabel"] = "exec-" + name;
    return component;
  }
  nlohmann::json& container(const std::string& name) {
    return spec["deploymentSpec"]["executors"]["exec-" + name]["container"];
  }
  /// Adds a task of a component; to the pipeline, or to the DAG of a component.
  nlohmann::json& task(const std::string& name, const std::string& component, const std::string& dag = "") {
    nlohmann::json& task = dag_of(dag)["tasks"][name];
    task = {{"componentRef", {{"name", "comp-" + component}}},
            {"taskInfo", {{"name", name}}},
            {"cachingOptions", nlohmann::json::object()}};
    return task;
  }
  nlohmann::json& task(const std::string& name) { return task(name, name); }
  nlohmann::json& dag_of(const std::string& component) {
    return component.empty() ? spec["root"]["dag"] : spec["components"]["comp-" + component]["dag"];
  }
  kfp::ir::Pipeline pipeline() const {
    nlohmann::json run = {{"pipeline_spec", spec}};
    if (!platform.is_null()) run["platform_spec"] = platform;
    return kfp::ir::parse_pipeline(run.dump());
  }
  /// Kubernetes settings of a component's executor.
  nlohmann::json& kubernetes(const std::string& name) {
    return platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-" + name];
  }

  nlohmann::json spec;
  nlohmann::json platform;
};

inline nlohmann::json from_task(const std::string& task, const std::string& output) {
  return {{"taskOutputParameter", {{"producerTask", task}, {"outputParameterKey", output}}}};
}
inline nlohmann::json artifact_of(const std::string& task, const std::string& output) {
  return {{"taskOutputArtifact", {{"producerTask", task}, {"outputArtifactKey", output}}}};
}
inline nlohmann::json constant(const nlohmann::json& value) {
  return {{"runtimeValue", {{"constant", value}}}};
}
inline nlohmann::json of_type(const std::string& type) {
  return {{"parameterType", type}};
}
inline nlohmann::json artifact(const std::string& title = "system.Artifact") {
  return {{"artifactType", {{"schemaTitle", title}, {"schemaVersion", "0.0.1"}}}};
}

}  // namespace test
