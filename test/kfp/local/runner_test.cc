#include "kfp/local/runner.h"

#include <gmock/gmock.h>

#include <map>

#include "core/error.h"
#include "kfp/local/run_pipeline.h"
#include "kfp/local/sketches.h"

// What a graph of tasks does when everything goes well.
namespace {

using kfp::local::State;
using nlohmann::json;
using test::artifact;
using test::artifact_of;
using test::constant;
using test::from_task;
using test::of_type;
using test::Sketch;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RunnerTest : public test::LocalRun {};

TEST_F(RunnerTest, HandsParametersAndArtifactsFromTaskToTask) {
  run(test::linear().pipeline(), {{"text", "hello"}});
  EXPECT_EQ(result.run.state, State::kSucceeded) << result.run.error;
  EXPECT_EQ(log("read"), "hello and 42\n");
  EXPECT_EQ(result.tasks[State::kSucceeded], 2);
  EXPECT_EQ(task("write").outputs, json({{"number", 42}}));
  EXPECT_EQ(core::read_file(output("write", "file")), "hello");
  EXPECT_EQ(task("write").exit_code, 0);
  EXPECT_THAT(recorder.states["read"], ElementsAre(State::kPending, State::kRunning, State::kSucceeded));
  const auto record = store->run(result.run.id);
  EXPECT_EQ(record.state, State::kSucceeded);
  EXPECT_EQ(record.parameters, json({{"text", "hello"}}));
  EXPECT_EQ(record.runner_pid, 0);
}

TEST_F(RunnerTest, ParametersReachTheProgramUntouched) {
  const std::string nasty =
      "$(touch /tmp/x) `id`; 'a' \"b\" \\n\n\tZürich 💥 {{$}} {{$.inputs.parameters['number']}} *";
  run(test::linear().pipeline(), {{"text", nasty}});
  EXPECT_EQ(core::read_file(output("write", "file")), nasty);
}

TEST_F(RunnerTest, ConditionsGoBothWays) {
  Sketch sketch;
  sketch.component("say", "echo $1",
                   {"{{$.inputs.parameters['word']}}"})["inputDefinitions"]["parameters"]["word"] =
      of_type("STRING");
  for (const std::string side : {"heads", "tails"}) {
    auto& branch = sketch.spec["components"]["comp-" + side];
    branch["inputDefinitions"]["parameters"]["coin"] = of_type("STRING");
    auto& inner = sketch.task("say", "say", side);
    inner["inputs"]["parameters"]["word"]["componentInputParameter"] = "coin";
    auto& task = sketch.task(side, side);
    task["inputs"]["parameters"]["coin"]["componentInputParameter"] = "coin";
    task["triggerPolicy"]["condition"] = "inputs.parameter_values['coin'] == '" + side + "'";
  }
  auto& after = sketch.task("after", "say");
  after["inputs"]["parameters"]["word"] = constant("after tails");
  after["dependentTasks"] = {"tails"};
  sketch.spec["root"]["inputDefinitions"]["parameters"]["coin"] = of_type("STRING");

  run(sketch.pipeline(), {{"coin", "heads"}});
  EXPECT_EQ(result.run.state, State::kSucceeded);
  EXPECT_EQ(log("heads/say"), "heads\n");
  EXPECT_EQ(state("tails"), State::kSkipped);
  EXPECT_EQ(state("after"), State::kSkipped);
  run(sketch.pipeline(), {{"coin", "tails"}});
  EXPECT_EQ(state("heads"), State::kSkipped);
  EXPECT_EQ(log("tails/say"), "tails\n");
  EXPECT_EQ(log("after"), "after tails\n");
}

// if / else, whose branches give one output (one-of), of which a later task makes use.
TEST_F(RunnerTest, TakesTheOutputOfTheBranchThatRan) {
  Sketch sketch;
  auto& make =
      sketch.component("make", "printf %s $1 > \"$2\"; printf %s \"art $1\" > \"$3\"",
                       {"{{$.inputs.parameters['word']}}", "{{$.outputs.parameters['out'].output_file}}",
                        "{{$.outputs.artifacts['file'].path}}"});
  make["inputDefinitions"]["parameters"]["word"] = of_type("STRING");
  make["outputDefinitions"] = {{"parameters", {{"out", of_type("STRING")}}},
                               {"artifacts", {{"file", artifact()}}}};
  auto& branches = sketch.spec["components"]["comp-branches"];
  branches["inputDefinitions"]["parameters"]["n"] = of_type("NUMBER_INTEGER");
  branches["outputDefinitions"] = make["outputDefinitions"];
  json selectors = json::array();
  json artifacts = json::array();
  for (const auto& [name, condition] :
       std::map<std::string, std::string>{{"small", "int(inputs.parameter_values['n']) < 10"},
                                          {"large", "!(int(inputs.parameter_values['n']) < 10)"}}) {
    auto& branch = sketch.spec["components"]["comp-" + name];
    branch["inputDefinitions"]["parameters"]["n"] = of_type("NUMBER_INTEGER");
    branch["outputDefinitions"] = make["outputDefinitions"];
    sketch.task("make", "make", name)["inputs"]["parameters"]["word"] = constant(name);
    sketch.dag_of(name)["outputs"] = {
        {"parameters",
         {{"out", {{"valueFromParameter", {{"producerSubtask", "make"}, {"outputParameterKey", "out"}}}}}}},
        {"artifacts",
         {{"file",
           {{"artifactSelectors", {{{"producerSubtask", "make"}, {"outputArtifactKey", "file"}}}}}}}}};
    auto& task = sketch.task(name, name, "branches");
    task["inputs"]["parameters"]["n"]["componentInputParameter"] = "n";
    task["triggerPolicy"]["condition"] = condition;
    selectors.push_back({{"producerSubtask", name}, {"outputParameterKey", "out"}});
    artifacts.push_back({{"producerSubtask", name}, {"outputArtifactKey", "file"}});
  }
  sketch.dag_of("branches")["outputs"] = {
      {"parameters", {{"out", {{"valueFromOneof", {{"parameterSelectors", selectors}}}}}}},
      {"artifacts", {{"file", {{"artifactSelectors", artifacts}}}}}};
  sketch.task("branches")["inputs"]["parameters"]["n"]["componentInputParameter"] = "n";
  auto& say = sketch.component("say", "echo $1; cat $2",
                               {"{{$.inputs.parameters['word']}}", "{{$.inputs.artifacts['file'].path}}"});
  say["inputDefinitions"] = {{"parameters", {{"word", of_type("STRING")}}},
                             {"artifacts", {{"file", artifact()}}}};
  sketch.task("say")["inputs"] = {{"parameters", {{"word", from_task("branches", "out")}}},
                                  {"artifacts", {{"file", artifact_of("branches", "file")}}}};
  sketch.spec["root"]["inputDefinitions"]["parameters"]["n"] = of_type("NUMBER_INTEGER");
  sketch.spec["root"]["outputDefinitions"]["parameters"]["which"] = of_type("STRING");
  sketch.dag_of("")["outputs"]["parameters"]["which"]["valueFromParameter"] = {
      {"producerSubtask", "branches"}, {"outputParameterKey", "out"}};
  run(sketch.pipeline(), {{"n", 3}});
  EXPECT_EQ(log("say"), "small\nart small");
  EXPECT_EQ(result.outputs, json({{"which", "small"}}));
  run(sketch.pipeline(), {{"n", 30}});
  EXPECT_EQ(log("say"), "large\nart large");
  EXPECT_EQ(state("branches/small"), State::kSkipped);
}

TEST_F(RunnerTest, LoopsOverItemsAndCollectsTheirOutputs) {
  options.cpus = 4;
  Sketch sketch = test::loop(R"([{"a": "x", "b": 1}, {"a": "y", "b": 2}, {"a": "z", "b": 3}])");
  run(sketch.pipeline());
  ASSERT_EQ(result.run.state, State::kSucceeded) << result.run.error;
  EXPECT_EQ(log("loop[1]/work"), "y\n");
  EXPECT_EQ(log("join"), R"(["x","y","z"])"
                         "\nart x\nart y\nart z\n");
  EXPECT_EQ(task("loop").outputs, json({{"words", {"x", "y", "z"}}}));
  run(test::loop("[]").pipeline());
  EXPECT_EQ(result.run.state, State::kSucceeded) << result.run.error;
  EXPECT_EQ(log("join"), "[]\n");
}

// Each iteration leaves a mark, waits for a partner, and counts how many there are at once.
TEST_F(RunnerTest, LoopsKeepTheirLimit) {
  options.cpus = 8;
  Sketch sketch = test::loop(R"(["1","2","3","4","5","6"])", false);
  sketch.container("work")["args"][0] =
      "mkdir -p $COUNTS/now; touch $COUNTS/now/$1; i=0; "
      "while [ $(ls $COUNTS/now | wc -l) -lt 2 ] && [ $i -lt 500 ]; do sleep 0.02; i=$((i+1)); done; "
      "ls $COUNTS/now | wc -l >> $COUNTS/seen; sleep 0.1; ls $COUNTS/now | wc -l >> $COUNTS/seen; "
      "rm $COUNTS/now/$1; printf %s $1 > $2; printf x > $3";
  sketch.dag_of("")["tasks"]["loop"]["iteratorPolicy"]["parallelismLimit"] = 2;
  run(sketch.pipeline());
  ASSERT_EQ(result.run.state, State::kSucceeded) << result.run.error;
  int most = 0;
  std::ifstream seen(folder / "work" / "seen");
  for (int value = 0; seen >> value;) most = std::max(most, value);
  EXPECT_EQ(most, 2);
}

TEST_F(RunnerTest, KeepsTheBudget) {
  Sketch sketch;
  for (const std::string name : {"a", "b", "c", "d"}) {
    sketch.component(
        name,
        "mkdir -p $COUNTS/now; touch $COUNTS/now/$0; ls $COUNTS/now | wc -l >> $COUNTS/seen; sleep 0.1; "
        "ls $COUNTS/now | wc -l >> $COUNTS/seen; rm $COUNTS/now/$0");
    sketch.container(name)["args"][1] = name;
    sketch.container(name)["resources"] = {{"resourceCpuRequest", "64"}, {"resourceMemoryRequest", "1Gi"}};
    sketch.task(name);
  }
  run(sketch.pipeline());
  ASSERT_EQ(result.run.state, State::kSucceeded) << result.run.error;
  std::ifstream seen(folder / "work" / "seen");
  for (int value = 0; seen >> value;) EXPECT_EQ(value, 1);
  EXPECT_EQ(count("seen"), 8);
}

TEST_F(RunnerTest, IndependentTasksRunTogether) {
  Sketch sketch;  // each waits for the other
  for (const std::string name : {"a", "b"}) {
    sketch.component(name,
                     "touch $COUNTS/$1; i=0; while [ ! -e $COUNTS/$2 ]; do sleep 0.02; i=$((i+1)); "
                     "[ $i -lt 1000 ] || exit 1; done",
                     {name, name == "a" ? "b" : "a"});
    sketch.task(name);
  }
  run(sketch.pipeline());
  EXPECT_EQ(result.run.state, State::kSucceeded) << result.run.error;
}

TEST_F(RunnerTest, GivesRunPlaceholdersDefaultsAndWorkspace) {
  Sketch sketch;
  auto& component =
      sketch.component("show", "for x; do echo \"$x\"; done; touch $4/mark",
                       {"{{$.inputs.parameters['job']}}", "{{$.inputs.parameters['task']}}",
                        "{{$.inputs.parameters['steps']}}", "{{$.inputs.parameters['space']}}"});
  component["inputDefinitions"]["parameters"] = {
      {"job", of_type("STRING")},
      {"task", of_type("STRING")},
      {"space", of_type("STRING")},
      {"steps", {{"parameterType", "NUMBER_INTEGER"}, {"defaultValue", 5.0}}}};
  sketch.task("show")["inputs"]["parameters"] = {{"job", constant("{{$.pipeline_job_name}}")},
                                                 {"task", constant("{{$.pipeline_task_name}}")},
                                                 {"space", constant("{{$.workspace_path}}/.")}};
  sketch.platform["platforms"]["kubernetes"]["pipelineConfig"]["workspace"]["size"] = "1Gi";
  options.run_name = "My run";
  run(sketch.pipeline());
  ASSERT_EQ(result.run.state, State::kSucceeded) << result.run.error << log("show");
  EXPECT_THAT(log("show"), ::testing::StartsWith("My run\nshow\n5\n"));
  EXPECT_TRUE(std::filesystem::exists(result.run.folder / "workspace" / "mark"));
}

TEST_F(RunnerTest, SelectsPartsOfValues) {
  Sketch sketch;
  auto& make = sketch.component("make", "printf '{\"A\": {\"b\": [1, 2]}}' > $1",
                                {"{{$.outputs.parameters['out'].output_file}}"});
  make["outputDefinitions"]["parameters"]["out"] = of_type("STRUCT");
  sketch.component("say", "echo $1",
                   {"{{$.inputs.parameters['x']}}"})["inputDefinitions"]["parameters"]["x"] =
      of_type("STRUCT");
  sketch.task("make");
  auto& input = sketch.task("say")["inputs"]["parameters"]["x"];
  input = from_task("make", "out");
  input["parameterExpressionSelector"] = "parseJson(string_value)[\"A\"]";
  run(sketch.pipeline());
  EXPECT_EQ(result.run.state, State::kSucceeded) << result.run.error;
  EXPECT_EQ(log("say"), "{\"b\":[1,2]}\n");
}

TEST_F(RunnerTest, ImportsWhatIsHere) {
  core::write_file(folder / "work" / "data.txt", "imported");
  Sketch sketch;
  auto& importer = sketch.spec["components"]["comp-import"];
  importer["executorLabel"] = "exec-import";
  importer["inputDefinitions"]["parameters"] = {{"uri", of_type("STRING")}, {"kind", of_type("STRING")}};
  importer["outputDefinitions"]["artifacts"]["artifact"] = artifact("system.Dataset");
  sketch.spec["deploymentSpec"]["executors"]["exec-import"]["importer"] = {
      {"artifactUri", {{"runtimeParameter", "uri"}}},
      {"typeSchema", {{"schemaTitle", "system.Dataset"}, {"schemaVersion", "0.0.1"}}},
      {"metadata", {{"kind", "a {{$.inputs.parameters['kind']}} one"}}}};
  sketch.task("import")["inputs"]["parameters"] = {{"uri", {{"componentInputParameter", "uri"}}},
                                                   {"kind", constant("good")}};
  auto& read = sketch.component("read", "cat $1", {"{{$.inputs.artifacts['data'].path}}"});
  read["inputDefinitions"]["artifacts"]["data"] = artifact("system.Dataset");
  sketch.task("read")["inputs"]["artifacts"]["data"] = artifact_of("import", "artifact");
  sketch.spec["root"]["inputDefinitions"]["parameters"]["uri"] = of_type("STRING");

  run(sketch.pipeline(), {{"uri", (folder / "work" / "data.txt").string()}});
  EXPECT_EQ(log("read"), "imported");
  EXPECT_EQ(store->artifacts(result.run.id).front().metadata, json({{"kind", "a good one"}}));
  run(sketch.pipeline(), {{"uri", "file://" + (folder / "work" / "data.txt").string()}});
  EXPECT_EQ(log("read"), "imported");
  run(sketch.pipeline(), {{"uri", "data.txt"}});  // in the working folder
  EXPECT_EQ(log("read"), "imported");

  run(sketch.pipeline(), {{"uri", "missing.txt"}});
  EXPECT_EQ(state("import"), State::kFailed);
  EXPECT_THAT(task("import").error, HasSubstr("missing.txt"));
  run(sketch.pipeline(), {{"uri", "gs://bucket/data"}});
  EXPECT_EQ(state("import"), State::kSucceeded);
  EXPECT_EQ(state("read"), State::kFailed);
  EXPECT_THAT(task("read").error, HasSubstr("gs://bucket/data"));
  EXPECT_EQ(output("import", "artifact"), "gs://bucket/data");
}

TEST_F(RunnerTest, OptionalInputsMayBeMissing) {
  Sketch sketch;
  auto& component = sketch.component("show", "echo $#");
  component["inputDefinitions"] = {
      {"parameters", {{"x", {{"parameterType", "STRING"}, {"isOptional", true}}}}},
      {"artifacts", {{"a", {{"artifactType", {{"schemaTitle", "system.Artifact"}}}, {"isOptional", true}}}}}};
  sketch.container("show")["args"].push_back(
      R"({"IfPresent": {"InputName": "x", "Then": ["--x", "{{$.inputs.parameters['x']}}"]}})");
  auto& task = sketch.task("show");
  task["inputs"]["parameters"]["x"]["componentInputParameter"] = "x";
  sketch.spec["root"]["inputDefinitions"]["parameters"]["x"] = {{"parameterType", "STRING"},
                                                                {"isOptional", true}};
  run(sketch.pipeline());
  EXPECT_EQ(log("show"), "0\n");
  run(sketch.pipeline(), {{"x", "1"}});
  EXPECT_EQ(log("show"), "2\n");
}

TEST_F(RunnerTest, RefusesWhatCannotRunBeforeAnythingRuns) {
  EXPECT_THROW(run(test::linear().pipeline()), core::UsageError);
  EXPECT_THROW(run(test::linear().pipeline(), {{"txt", "x"}}), core::UsageError);
  options.force = {"raed"};
  EXPECT_THROW(run(test::linear().pipeline(), {{"text", "x"}}), core::UsageError);
  options.force.clear();
  Sketch broken = test::linear();
  broken.dag_of("")["tasks"]["read"]["componentRef"]["name"] = "comp-missing";
  EXPECT_THROW(run(broken.pipeline(), {{"text", "x"}}), core::InputError);
  for (const std::string name : {"../x", "a/b", ".hidden", "..", ""}) {
    Sketch sketch;
    sketch.component("c", "true");
    sketch.task(name, "c");
    EXPECT_THROW(run(sketch.pipeline()), core::InputError) << name;
    Sketch output;
    output.component("c", "true")["outputDefinitions"]["artifacts"][name] = artifact();
    output.task("c");
    EXPECT_THROW(run(output.pipeline()), core::InputError) << name;
  }
  EXPECT_TRUE(store->runs().empty());
}

TEST_F(RunnerTest, WarnsOfWhatOnlyTheClusterHas) {
  Sketch sketch;
  sketch.component("work", "true");
  sketch.task("work");
  sketch.kubernetes("work") = {
      {"secretAsEnv",
       {{{"secretName", "s"}, {"keyToEnv", {{{"secretKey", "k"}, {"envVar", "KFP_TEST_TOKEN"}}}}}}},
      {"pvcMount", {{{"mountPath", "/no/such/mount"}, {"constant", "claim"}}}},
      {"podMetadata", {{"labels", {{"a", "b"}}}}}};
  sketch.component("claim", "true");
  sketch.container("claim")["image"] = "argostub/createpvc";
  sketch.task("claim");
  run(sketch.pipeline());
  EXPECT_EQ(state("work"), State::kSucceeded);
  EXPECT_THAT(recorder.warnings, Contains(HasSubstr("KFP_TEST_TOKEN")));
  EXPECT_THAT(recorder.warnings, Contains(HasSubstr("/no/such/mount")));
  EXPECT_EQ(recorder.warnings.size(), 2U);
  EXPECT_EQ(state("claim"), State::kFailed);
  EXPECT_THAT(task("claim").error, HasSubstr("volume"));
}

}  // namespace
