#include "kfp/ir/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "core/staged_output.h"
#include "kfp/ir/document.h"
#include "kfp/yaml/yaml.h"

// A valid pipeline, broken in one place at a time.
namespace {

using nlohmann::json;
using testing::HasSubstr;

class Validate : public testing::Test {
 protected:
  Validate() : documents_(kfp::parse_yaml(core::read_file(CALOPIPE_SOURCE_DIR "/test/kfp/ir/valid.yaml"))) {}

  // The problems of what stands in documents_, as text.
  std::string problems() const {
    kfp::ir::Pipeline pipeline{.spec = kfp::ir::pipeline_spec_from_json(documents_[0]), .platform = {}};
    if (documents_.size() > 1) pipeline.platform = kfp::ir::platform_spec_from_json(documents_[1]);
    std::string text;
    for (const kfp::ir::Problem& problem : kfp::ir::validate(pipeline)) text += problem.to_text() + '\n';
    return text;
  }
  // The problems after setting one value ("null" takes it away), which is undone.
  std::string with(const std::string& pointer, const json& value, std::size_t document = 0) {
    const json before = documents_[document];
    const json::json_pointer place(pointer);
    if (value.is_null())
      documents_[document][place.parent_pointer()].erase(place.back());
    else
      documents_[document][place] = value;
    const std::string text = problems();
    documents_[document] = before;
    return text;
  }

  std::vector<json> documents_;
  const std::string tasks_ = "/root/dag/tasks";
  const std::string executors_ = "/deploymentSpec/executors";
};

TEST_F(Validate, FindsNothingInAValidPipeline) {
  EXPECT_EQ(problems(), "");
}

TEST_F(Validate, DanglingReferences) {
  EXPECT_THAT(
      with(tasks_ + "/prepare/componentRef/name", "comp-prepar"),
      HasSubstr("error: root.dag.tasks.prepare.componentRef.name: there is no component \"comp-prepar\" (did "
                "you mean comp-prepare?)"));
  EXPECT_THAT(with(tasks_ + "/prepare/componentRef", nullptr), HasSubstr("does not name a component"));
  EXPECT_THAT(with("/components/comp-train/executorLabel", "exec-trian"),
              HasSubstr("error: components.comp-train.executorLabel: names the executor \"exec-trian\""));
  EXPECT_THAT(with("/components/comp-train/executorLabel", nullptr),
              HasSubstr("neither dag nor executorLabel"));
  EXPECT_THAT(with(tasks_ + "/scan/dependentTasks", {"prepare", "clean"}),
              HasSubstr("error: root.dag.tasks.scan.dependentTasks: names the task \"clean\""));
  EXPECT_THAT(
      with(tasks_ + "/scan/inputs/artifacts/data/taskOutputArtifact/producerTask", "prep"),
      HasSubstr("error: root.dag.tasks.scan.inputs.artifacts.data.taskOutputArtifact: producerTask names the "
                "task \"prep\""));
  EXPECT_THAT(with(tasks_ + "/scan/inputs/parameters/name/taskOutputParameter/outputParameterKey", "nam"),
              HasSubstr("has no output parameter \"nam\" (did you mean name?)"));
  EXPECT_THAT(with(tasks_ + "/scan/inputs/artifacts/data/taskOutputArtifact/outputArtifactKey", "date"),
              HasSubstr("has no output artifact \"date\" (did you mean data?)"));
  EXPECT_THAT(with(tasks_ + "/prepare/inputs/parameters/count/componentInputParameter", "cout"),
              HasSubstr("names the input parameter \"cout\""));
  EXPECT_THAT(
      with("/components/comp-loop/dag/tasks/train/inputs/artifacts/data/componentInputArtifact", "d"),
      HasSubstr("error: components.comp-loop.dag.tasks.train.inputs.artifacts.data.componentInputArtifact"));
  EXPECT_THAT(with(tasks_ + "/report/inputs/parameters/status/taskFinalStatus/producerTask", "scam"),
              HasSubstr("names the task \"scam\""));
  EXPECT_THAT(with("/root/dag/outputs/artifacts/data/artifactSelectors/0/producerSubtask", "x"),
              HasSubstr("error: root.dag.outputs.artifacts.data: producerSubtask names the task \"x\""));
  EXPECT_THAT(with("/root/dag/outputs", nullptr), HasSubstr("no task of the DAG produces it"));
  EXPECT_THAT(with("/root/outputDefinitions", nullptr), HasSubstr("is not in outputDefinitions"));
  EXPECT_THAT(with("/schemaVersion", "3.0"), HasSubstr("error: schemaVersion: is 3.0"));
  EXPECT_THAT(with("/pipelineInfo", nullptr), HasSubstr("error: pipelineInfo.name"));
  EXPECT_THAT(with("/root", nullptr), HasSubstr("error: root: is missing"));
  EXPECT_THAT(with(executors_ + "/exec-report", json::object()), HasSubstr("exec-report: is empty"));
  EXPECT_THAT(with(executors_ + "/exec-report/container/image", nullptr), HasSubstr("has no image"));
  EXPECT_THAT(with(tasks_ + "/import", nullptr), HasSubstr("note: components.comp-import: no task uses it"));
  EXPECT_THAT(with("/pipelineInfo/name", "train"),
              HasSubstr("note: pipelineInfo.name: a component has the same name, train"));
}

TEST_F(Validate, InputsAndTypes) {
  EXPECT_THAT(
      with(tasks_ + "/prepare/inputs", nullptr),
      HasSubstr("error: root.dag.tasks.prepare.inputs.parameters: the required input \"count\" is missing"));
  EXPECT_THAT(
      with(tasks_ + "/scan/inputs/artifacts", nullptr),
      HasSubstr("error: root.dag.tasks.scan.inputs.artifacts: the required input \"data\" is missing"));
  EXPECT_THAT(
      with(tasks_ + "/prepare/inputs/parameters/cout", json::parse(R"({"runtimeValue": {"constant": 1}})")),
      HasSubstr("error: root.dag.tasks.prepare.inputs.parameters.cout: the component has no such input (did "
                "you mean count?)"));
  EXPECT_THAT(with(tasks_ + "/prepare/inputs/parameters/count", json::object()), HasSubstr("has no value"));
  EXPECT_THAT(
      with(tasks_ + "/scan/inputs/parameters/name/taskOutputParameter/outputParameterKey", "energies"),
      HasSubstr("error: root.dag.tasks.scan.inputs.parameters.name: takes STRING, but the output energies of "
                "the task prepare gives LIST"));
  EXPECT_THAT(with("/root/inputDefinitions/parameters/count",
                   json::parse(R"({"parameterType": "STRING", "defaultValue": "5"})")),
              HasSubstr("takes NUMBER_INTEGER, but the input count gives STRING"));
  EXPECT_THAT(
      with("/components/comp-loop/inputDefinitions/artifacts/data/artifactType/schemaTitle", "system.Model"),
      HasSubstr("takes system.Model, but the output data of the task prepare gives system.Dataset"));
  EXPECT_THAT(with(tasks_ + "/prepare/inputs/parameters/count",
                   json::parse(R"({"runtimeValue": {"constant": "five"}})")),
              HasSubstr("constant: \"five\" is not of type NUMBER_INTEGER"));
  EXPECT_THAT(with(tasks_ + "/prepare/inputs/parameters/count",
                   json::parse(R"({"runtimeValue": {"constant": 1.5}})")),
              HasSubstr("1.5 is not of type NUMBER_INTEGER"));
  EXPECT_THAT(with("/root/inputDefinitions/parameters/count/defaultValue", json::array()),
              HasSubstr("defaultValue: [] is not of type NUMBER_INTEGER"));
  EXPECT_THAT(with(tasks_ + "/prepare/inputs/parameters/mode",
                   json::parse(R"({"runtimeValue": {"constant": "slow"}})")),
              HasSubstr("\"slow\" is not among the allowed values"));
  EXPECT_THAT(with("/components/comp-train/inputDefinitions/parameters/rate/parameterType", nullptr),
              HasSubstr("has no parameterType"));
  // Loops give lists.
  documents_[0]["components"]["comp-report"]["inputDefinitions"]["parameters"]["loss"] = {
      {"parameterType", "NUMBER_DOUBLE"}};
  documents_[0]["root"]["dag"]["tasks"]["report"]["inputs"]["parameters"]["loss"] =
      json::parse(R"({"taskOutputParameter": {"producerTask": "scan", "outputParameterKey": "losses"}})");
  EXPECT_THAT(problems(),
              HasSubstr("takes NUMBER_DOUBLE, but the output losses of the task scan gives LIST"));
}

TEST_F(Validate, Cycles) {
  EXPECT_THAT(with(tasks_ + "/prepare/dependentTasks", {"report"}),
              HasSubstr("depends on itself: prepare -> scan -> report -> prepare"));
  EXPECT_THAT(with(tasks_ + "/prepare/dependentTasks", {"prepare"}),
              HasSubstr("depends on itself: prepare -> prepare"));
  EXPECT_THAT(with("/components/comp-loop/dag/tasks/train/componentRef/name", "comp-loop"),
              HasSubstr("its DAG contains itself"));
}

TEST_F(Validate, ConditionsLoopsRetries) {
  EXPECT_THAT(
      with(tasks_ + "/scan/triggerPolicy/condition", "int(inputs.parameter_values['nane']) < 3"),
      HasSubstr(
          "error: root.dag.tasks.scan.triggerPolicy.condition: reads the input \"nane\", which the task "
          "does not pass (did you mean name?)"));
  EXPECT_THAT(with(tasks_ + "/scan/parameterIterator/itemInput", "itm"), HasSubstr("did you mean item?"));
  EXPECT_THAT(with(tasks_ + "/scan/parameterIterator/items/inputParameter", "x"),
              HasSubstr("items.inputParameter: names the input \"x\", which the task does not pass"));
  EXPECT_THAT(with(tasks_ + "/scan/parameterIterator/items", {{"raw", "[1, 2"}}),
              HasSubstr("is not a JSON list"));
  EXPECT_THAT(with(tasks_ + "/scan/parameterIterator/items", nullptr), HasSubstr("items: are missing"));
  EXPECT_THAT(with("/components/comp-loop/dag/tasks/train/retryPolicy/maxRetryCount", -1),
              HasSubstr("retryPolicy.maxRetryCount: is negative"));
  EXPECT_THAT(with(tasks_ + "/prepare/iteratorPolicy", {{"parallelismLimit", 2}}),
              HasSubstr("without a loop"));
  EXPECT_THAT(with(tasks_ + "/report/triggerPolicy", nullptr),
              HasSubstr("warning: root.dag.tasks.report.inputs.parameters.status"));
  EXPECT_THAT(with(tasks_ + "/scan/dependentTasks", nullptr),
              HasSubstr("warning: root.dag.tasks.scan.dependentTasks: must have prepare"));
}

// Each trap of the backend that doc/kfp.md lists.
TEST_F(Validate, TrapsOfTheBackend) {
  const std::string command = executors_ + "/exec-train/container/command";
  const std::string args = executors_ + "/exec-prepare/container/args";
  EXPECT_THAT(
      with(args + "/1", R"({"Concat": ["a", "{{$.inputs.parameters['count']}}"]})"),
      HasSubstr("warning: deploymentSpec.executors.exec-prepare.container.args[1]: Concat is not resolved"));
  EXPECT_THAT(with(args + "/1", R"({"IfPresent": {"InputName": "mode", "Then": {"Concat": ["a"]}}})"),
              HasSubstr("Concat is not resolved"));
  EXPECT_THAT(
      with(args + "/1", R"({"IfPresent": {"InputName": "mod", "Then": ["a"]}})"),
      HasSubstr("error: deploymentSpec.executors.exec-prepare.container.args[1]: IfPresent names the input"));
  EXPECT_THAT(with(args + "/1", R"({"IfPresent": {"Then": ["a"]}})"),
              HasSubstr("IfPresent must have InputName"));
  EXPECT_THAT(with(args + "/1", R"(--x {"IfPresent": {"InputName": "mode", "Then": ["a"]}})"),
              HasSubstr("resolved only as a whole argument"));
  EXPECT_THAT(
      with(args + "/1",
           R"({"IfPresent": {"InputName": "mode", "Then": ["{{$.outputs.artifacts['data'].uri}}"]}})"),
      HasSubstr("IfPresent is skipped if the argument names outputs"));
  EXPECT_THAT(with(command + "/1", R"({"IfPresent": {"InputName": "start", "Then": ["a"]}})"),
              HasSubstr("IfPresent of the artifact \"start\""));
  EXPECT_THAT(
      with("/components/comp-loop/dag/tasks/train/inputs/parameters/note", nullptr),
      HasSubstr(
          "warning: components.comp-loop.dag.tasks.train.inputs.parameters: the optional input \"note\" "
          "is not passed"));
  EXPECT_THAT(with(args + "/1", "{{$.inputs.parameters['mode']}}"), HasSubstr("the optional input \"mode\""));
  EXPECT_THAT(with(command + "/0", "{{$.inputs.parameters['rate']}}"),
              HasSubstr("warning: deploymentSpec.executors.exec-train.container.command[0]"));
  EXPECT_EQ(with(command + "/0", "{{$}}"), "");
  EXPECT_THAT(with(args + "/0", "{{$.outputs.output_file}}"), HasSubstr("is not replaced by the backend"));
  EXPECT_THAT(with(args + "/0", "{{$.inputs.parameters['coun']}}"), HasSubstr("did you mean count?"));
  EXPECT_THAT(with(args + "/0", "{{$.outputs.artifacts['dat'].path}}"), HasSubstr("did you mean data?"));
  const std::string uri = tasks_ + "/import/inputs/parameters/uri/runtimeValue/constant";
  EXPECT_EQ(with(uri, "{{$.pipeline_job_name}}"), "");
  EXPECT_THAT(with(uri, "/runs/{{$.pipeline_job_name}}"),
              HasSubstr("replaced only if it is the whole constant"));
  EXPECT_THAT(with(uri, "{{$.inputs.parameters['no']}}"),
              HasSubstr("names an input that the task does not pass"));
  EXPECT_THAT(with(args + "/0", "{{$.pipeline_job_name}}"), HasSubstr("whole constant of a task's input"));
  EXPECT_THAT(with(tasks_ + "/report/artifactIterator", {{"itemInput", "data"}}),
              HasSubstr("does not implement loops"));
  EXPECT_THAT(with(tasks_ + "/scan/triggerPolicy/condition", "size('a') == 1"),
              HasSubstr("warning: root.dag.tasks.scan.triggerPolicy.condition: \"size\" is unknown at 5"));
  EXPECT_THAT(with(tasks_ + "/import/triggerPolicy", {{"condition", "inputs.parameter_values['uri'] == ''"}}),
              HasSubstr("warning: root.dag.tasks.import.triggerPolicy.condition: an importer runs even"));
  EXPECT_THAT(with(executors_ + "/exec-import/importer/artifactUri/runtimeParameter", "url"),
              HasSubstr("importer.artifactUri.runtimeParameter: names the input parameter \"url\""));
  EXPECT_THAT(with(executors_ + "/exec-report/container/image", "registry.example/report:latest"),
              HasSubstr("note: deploymentSpec.executors.exec-report.container.image: the tag of"));
  EXPECT_THAT(with("/root/inputDefinitions/parameters/count/defaultValue", (std::int64_t{1} << 53) + 1),
              HasSubstr("9007199254740993 is above 2^53"));
  EXPECT_EQ(with("/root/inputDefinitions/parameters/count/defaultValue", (std::int64_t{1} << 53) - 1), "");
  EXPECT_THAT(with(executors_ + "/exec-prepare/container/env/0/value", "{{$.inputs.parameters['mode']}}"),
              HasSubstr("placeholders are not replaced"));
  EXPECT_THAT(with(executors_ + "/exec-train/container/resources/resourceCpuLimit",
                   "{{$.inputs.parameters['pipelinechannel--cpu']}}"),
              HasSubstr("which the task does not pass"));
}

TEST_F(Validate, KubernetesSettings) {
  const std::string executors = "/platforms/kubernetes/deploymentSpec/executors";
  EXPECT_THAT(with(executors + "/exec-trian", json::object(), 1), HasSubstr("did you mean exec-train?"));
  EXPECT_THAT(with(executors + "/exec-train/pvcMount/0/mountPath", "data", 1),
              HasSubstr("data is not absolute"));
  EXPECT_THAT(with(executors + "/exec-train/pvcMount/0/pvcNameParameter", nullptr, 1),
              HasSubstr("has no name"));
  EXPECT_THAT(with(executors + "/exec-train/pvcMount/1",
                   json::parse(R"({"mountPath": "/data", "constant": "x"})"), 1),
              HasSubstr("something else is mounted on /data"));
  EXPECT_THAT(with(executors + "/exec-prepare/secretAsVolume/0/secretNameParameter/componentInputParameter",
                   "secrt", 1),
              HasSubstr("did you mean secret?"));
  // Beside the task, not at the top: train runs inside the loop, whose component has no such input.
  EXPECT_THAT(with(executors + "/exec-train/pvcMount/0/pvcNameParameter",
                   json::parse(R"({"componentInputParameter": "secret"})"), 1),
              HasSubstr("names the input parameter \"secret\""));
  EXPECT_THAT(with(executors + "/exec-prepare/imagePullPolicy", "Sometimes", 1), HasSubstr("IfNotPresent"));
  EXPECT_THAT(with(executors + "/exec-prepare/tolerations/0/operator", "Is", 1), HasSubstr("Exists"));
  EXPECT_THAT(with(executors + "/exec-prepare/activeDeadlineSeconds", "0", 1), HasSubstr("must be positive"));
  EXPECT_THAT(with("/platforms/kubernetes/pipelineConfig/workspace/size", nullptr, 1),
              HasSubstr("has no size"));
  EXPECT_THAT(with("/platforms/kubernetes/pipelineConfig", nullptr, 1),
              HasSubstr("the pipeline has no workspace"));
}

// Breaking any single value never makes the validator throw or hang.
TEST_F(Validate, SurvivesEveryMissingPart) {
  for (std::size_t document = 0; document < documents_.size(); ++document) {
    const json flat = documents_[document].flatten();
    for (const auto& [pointer, value] : flat.items()) {
      for (json::json_pointer part(pointer); !part.empty(); part.pop_back()) {
        if (documents_[document][part.parent_pointer()].is_array()) continue;
        EXPECT_NO_THROW(with(part.to_string(), nullptr, document)) << part;
      }
    }
  }
}

TEST(TopologicalOrder, PutsEveryTaskBehindThoseItWaitsFor) {
  const kfp::ir::Pipeline pipeline = kfp::ir::parse_pipeline(
      "root: {dag: {tasks: {a: {dependentTasks: [z]}, m: {dependentTasks: [a]}, z: {}, b: {}, x: "
      "{dependentTasks: "
      "[y]}, y: {dependentTasks: [x]}}}}");
  EXPECT_EQ(kfp::ir::topological_order(*pipeline.spec.root->dag),
            (std::vector<std::string>{"b", "z", "a", "m"}));
}

// As the SDK compiles a condition in a loop whose output is collected
// (conditional_producer_and_consumers.yaml of its test data): the DAG declares the list, the task inside
// gives what it holds.
TEST_F(Validate, OutputsInLoopsMayBeDeclaredAsTheirList) {
  const json number = {{"parameterType", "NUMBER_INTEGER"}}, list = {{"parameterType", "LIST"}};
  const auto outputs = [](const char* task, const char* key) {
    return json{
        {"parameters",
         {{"out", {{"valueFromParameter", {{"producerSubtask", task}, {"outputParameterKey", key}}}}}}}};
  };
  json spec = json::parse(
      R"({"pipelineInfo": {"name": "p"}, "schemaVersion": "2.1.0", "deploymentSpec": {"executors": {
    "exec-double": {"container": {"image": "x@sha256:0", "command": ["x"]}},
    "exec-add": {"container": {"image": "x@sha256:0", "command": ["x"]}}}}})");
  json& components = spec["components"];
  components["comp-double"] = {{"executorLabel", "exec-double"},
                               {"inputDefinitions", {{"parameters", {{"num", number}}}}},
                               {"outputDefinitions", {{"parameters", {{"Output", number}}}}}};
  components["comp-add"] = {{"executorLabel", "exec-add"},
                            {"inputDefinitions", {{"parameters", {{"nums", list}}}}}};
  const auto dag = [&](const char* task, const char* component, const json& input) {
    return json{
        {"dag",
         {{"outputs", outputs(task, component == std::string("comp-double") ? "Output" : "out")},
          {"tasks",
           {{task, {{"componentRef", {{"name", component}}}, {"inputs", {{"parameters", input}}}}}}}}},
        {"inputDefinitions", {{"parameters", {{"item", number}}}}},
        {"outputDefinitions", {{"parameters", {{"out", list}}}}}};
  };
  const json item = {{"componentInputParameter", "item"}};
  components["comp-condition"] = dag("double", "comp-double", {{"num", item}});
  components["comp-loop"] = dag("condition", "comp-condition", {{"item", item}});
  components["comp-loop"]["dag"]["tasks"]["condition"]["triggerPolicy"]["condition"] =
      "int(inputs.parameter_values['item']) >= 2";
  json& tasks = spec["root"]["dag"]["tasks"];
  tasks["loop"] = {{"componentRef", {{"name", "comp-loop"}}},
                   {"parameterIterator", {{"itemInput", "item"}, {"items", {{"raw", "[1, 2, 3]"}}}}}};
  tasks["add"] = {
      {"componentRef", {{"name", "comp-add"}}},
      {"dependentTasks", {"loop"}},
      {"inputs",
       {{"parameters",
         {{"nums", {{"taskOutputParameter", {{"producerTask", "loop"}, {"outputParameterKey", "out"}}}}}}}}}};
  documents_ = {spec};
  EXPECT_EQ(problems(), "");
  // A type that no list explains is said, and is no error either.
  documents_[0]["components"]["comp-condition"]["outputDefinitions"]["parameters"]["out"]["parameterType"] =
      "STRING";
  EXPECT_THAT(problems(),
              HasSubstr("warning: components.comp-condition.dag.outputs.parameters.out: is declared STRING"));
  // What does not fit for the backend still is one.
  documents_[0]["components"]["comp-add"]["inputDefinitions"]["parameters"]["nums"] = number;
  EXPECT_THAT(problems(),
              HasSubstr("error: root.dag.tasks.add.inputs.parameters.nums: takes NUMBER_INTEGER"));
}

}  // namespace
