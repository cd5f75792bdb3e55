#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kfp/ir/document.h"

namespace test {

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

/// write → read, by a parameter and an artifact; each run of a task leaves a line in work/write or work/read.
inline Sketch linear() {
  Sketch sketch;
  auto& write =
      sketch.component("write", "echo x >> $COUNTS/write; printf %s \"$1\" > \"$2\"; printf 42 > \"$3\"",
                       {"{{$.inputs.parameters['text']}}", "{{$.outputs.artifacts['file'].path}}",
                        "{{$.outputs.parameters['number'].output_file}}"});
  write["inputDefinitions"]["parameters"]["text"] = of_type("STRING");
  write["outputDefinitions"] = {{"artifacts", {{"file", artifact("system.Dataset")}}},
                                {"parameters", {{"number", of_type("NUMBER_INTEGER")}}}};
  auto& read = sketch.component("read", "echo x >> $COUNTS/read; cat \"$1\"; echo \" and $2\"",
                                {"{{$.inputs.artifacts['file'].path}}", "{{$.inputs.parameters['number']}}"});
  read["inputDefinitions"] = {{"artifacts", {{"file", artifact("system.Dataset")}}},
                              {"parameters", {{"number", of_type("NUMBER_INTEGER")}}}};
  sketch.spec["root"]["inputDefinitions"]["parameters"]["text"] = of_type("STRING");
  sketch.task("write")["inputs"]["parameters"]["text"]["componentInputParameter"] = "text";
  auto& task = sketch.task("read");
  task["inputs"] = {{"artifacts", {{"file", artifact_of("write", "file")}}},
                    {"parameters", {{"number", from_task("write", "number")}}}};
  task["dependentTasks"] = {"write"};
  return sketch;
}

/// A loop whose iterations give a word and a file, and a task that joins them. `select`: the items are
/// objects, of which the iterations take "a".
inline Sketch loop(const std::string& items, bool select = true) {
  Sketch sketch;
  auto& work =
      sketch.component("work", "echo x >> $COUNTS/work; echo $1; printf %s $1 > $2; echo art $1 > $3",
                       {"{{$.inputs.parameters['item']}}", "{{$.outputs.parameters['word'].output_file}}",
                        "{{$.outputs.artifacts['file'].path}}"});
  work["inputDefinitions"]["parameters"]["item"] = of_type("STRING");
  work["outputDefinitions"] = {{"parameters", {{"word", of_type("STRING")}}},
                               {"artifacts", {{"file", artifact()}}}};
  auto& body = sketch.spec["components"]["comp-loop"];
  body["inputDefinitions"]["parameters"]["item"] = of_type(select ? "STRUCT" : "STRING");
  nlohmann::json list = artifact();
  list["isArtifactList"] = true;
  body["outputDefinitions"] = {{"parameters", {{"words", of_type("LIST")}}},
                               {"artifacts", {{"files", list}}}};
  auto& input = sketch.task("work", "work", "loop")["inputs"]["parameters"]["item"];
  input["componentInputParameter"] = "item";
  if (select) input["parameterExpressionSelector"] = "parseJson(string_value)[\"a\"]";
  sketch.dag_of("loop")["outputs"] = {
      {"parameters",
       {{"words", {{"valueFromParameter", {{"producerSubtask", "work"}, {"outputParameterKey", "word"}}}}}}},
      {"artifacts",
       {{"files", {{"artifactSelectors", {{{"producerSubtask", "work"}, {"outputArtifactKey", "file"}}}}}}}}};
  sketch.task("loop")["parameterIterator"] = {{"itemInput", "item"}, {"items", {{"raw", items}}}};

  auto& join = sketch.component("join", "");
  join["inputDefinitions"] = {{"parameters", {{"words", of_type("LIST")}}}, {"artifacts", {{"files", list}}}};
  sketch.container("join") = {
      {"image", "none"},
      {"command", {"python3", "-c"}},
      {"args",
       {"import json, sys; x = json.loads(sys.argv[1])['inputs']; print(sys.argv[2]);\n"
        "for a in x['artifacts']['files']['artifacts']: print(open(a['uri']).read(), end='')",
        "{{$}}", "{{$.inputs.parameters['words']}}"}}};
  auto& task = sketch.task("join");
  task["inputs"] = {{"parameters", {{"words", from_task("loop", "words")}}},
                    {"artifacts", {{"files", artifact_of("loop", "files")}}}};
  task["dependentTasks"] = {"loop"};
  return sketch;
}

}  // namespace test
