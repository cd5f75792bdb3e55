#include <gmock/gmock.h>

#include "core/error.h"
#include "kfp/ir/validate.h"
#include "kfp/local/run_pipeline.h"
#include "kfp/local/sketches.h"

// Placeholders inside constants: what f-strings of Python and fmt::format on values compile to.
namespace {

using kfp::local::State;
using nlohmann::json;
using test::artifact;
using test::artifact_of;
using test::constant;
using test::from_task;
using test::of_type;
using test::Sketch;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

json from_pipeline(const std::string& name) {
  return {{"componentInputParameter", name}};
}

std::string placeholder(const std::string& name) {
  return "{{$.inputs.parameters['" + name + "']}}";
}

// What a task passes beside the inputs of its component, under the name that the SDK gives it.
std::string channel(const std::string& name) {
  return placeholder("pipelinechannel--" + name);
}

class ConstantsTest : public test::LocalRun {
 protected:
  // A pipeline of one task, whose input `text` has this type and constant, beside channels.
  static Sketch one_task(const std::string& type, const json& value, const json& inputs = json::object(),
                         const json& declared = json::object()) {
    Sketch sketch;
    auto& component = sketch.component("say", "printf %s \"$1\"", {placeholder("text")});
    component["inputDefinitions"]["parameters"] = {{"text", of_type(type)}};
    component["inputDefinitions"]["parameters"].update(declared);
    json& parameters = sketch.task("say")["inputs"]["parameters"];
    parameters["text"] = constant(value);
    for (const auto& [name, source] : inputs.items()) parameters["pipelinechannel--" + name] = source;
    return sketch;
  }

  // What the program of that task is given.
  std::string said(const Sketch& sketch, const json& parameters = json::object()) {
    run(sketch.pipeline(), parameters);
    EXPECT_EQ(result.run.state, State::kSucceeded) << result.run.error;
    return log("say");
  }
};

// The file of the fault: an int, a double and a large int of the pipeline, and outputs of three types.
TEST_F(ConstantsTest, TextsOfTheSdkGetTheirValues) {
  run(kfp::ir::read_pipeline(CALOPIPE_SOURCE_DIR "/test/kfp/local/fstring.yaml"));
  ASSERT_EQ(result.run.state, State::kSucceeded) << result.run.error;
  EXPECT_EQ(task("say").outputs["out"], "where n >= 20 and x < 3 and 9007199254740992");
  EXPECT_EQ(task("say-2").outputs["out"], "got 20");
  EXPECT_EQ(task("say-3").outputs["out"], "got 0.00001");
  EXPECT_EQ(task("say-4").outputs["out"], "got true");
  EXPECT_THAT(recorder.warnings, IsEmpty());
}

TEST_F(ConstantsTest, EveryTypeIsWrittenAsTheLauncherWritesIt) {
  const json inputs = {{"i", constant(20.0)},
                       {"d", constant(2.5)},
                       {"big", constant(1e22)},
                       {"b", constant(true)},
                       {"l", constant(json::parse(R"([1.0, "a<b", 2.5, null])"))},
                       {"s", constant(json::parse(R"({"k": 3.0})"))},
                       {"empty", constant("")}};
  EXPECT_EQ(said(one_task("STRING",
                          channel("i") + "|" + channel("d") + "|" + channel("big") + "|" + channel("b") +
                              "|" + channel("l") + "|" + channel("s") + "|" + channel("empty") + "|",
                          inputs)),
            "20|2.5|10000000000000000000000|true|[1,\"a\\u003cb\",2.5,null]|{\"k\":3}||");
}

TEST_F(ConstantsTest, ListsAndStructsAtAnyDepth) {
  const json inputs = {{"n", constant(20.0)}, {"q", constant("say \"hi\"\n")}};
  EXPECT_EQ(json::parse(said(one_task(
                "LIST", json::array({channel("n"), 2, {{"deep", {"<" + channel("q") + ">"}}}}), inputs))),
            json::parse(R"(["20", 2, {"deep": ["<say \"hi\"\n>"]}])"));
  EXPECT_EQ(json::parse(said(one_task("STRUCT", {{"key " + channel("n"), {{"v", channel("n")}}}}, inputs))),
            json::parse(R"({"key 20": {"v": "20"}})"));
}

TEST_F(ConstantsTest, ValuesAreNotLookedAtAgain) {
  Sketch sketch = one_task("STRING", "<" + channel("user") + ">",
                           {{"user", from_pipeline("user")}, {"secret", constant("hidden")}});
  sketch.spec["root"]["inputDefinitions"]["parameters"]["user"] = of_type("STRING");
  const std::string nasty = channel("secret") + " {{$}} {{$.pipeline_job_name}}";
  EXPECT_EQ(said(sketch, {{"user", nasty}}), "<" + nasty + ">");
  EXPECT_THAT(recorder.warnings, IsEmpty());
}

TEST_F(ConstantsTest, OneConstantInAnother) {
  EXPECT_EQ(said(one_task("STRING", "a " + channel("b"),
                          {{"b", constant("b " + channel("c"))}, {"c", constant(3)}})),
            "a b 3");
  run(one_task("STRING", channel("b"), {{"b", constant(placeholder("text"))}}).pipeline());
  EXPECT_THAT(result.run.error, AllOf(HasSubstr("say: "), HasSubstr("refers to itself")));
}

TEST_F(ConstantsTest, WhatCannotBeResolvedIsAnError) {
  const auto error_of = [&](const std::string& text) {
    try {
      run(one_task("STRING", text).pipeline());
    } catch (const core::InputError& error) {
      return std::string(error.what());
    }
    return result.run.error;
  };
  EXPECT_THAT(error_of("x " + placeholder("no")), AllOf(HasSubstr("say"), HasSubstr("['no']")));
  EXPECT_THAT(error_of("{{$.inputs.parameters['text']['key']}}"),
              AllOf(HasSubstr("say"), HasSubstr("['text']['key']"), HasSubstr("cannot be resolved")));
  EXPECT_THAT(error_of("{{$.inputs.parameters.text}}"), HasSubstr("cannot be resolved"));
  EXPECT_THAT(error_of("{{$.outputs.parameters['o'].output_file}}"), HasSubstr("cannot be resolved"));
  EXPECT_THAT(error_of("{{channel:task=;name=n;type=Integer;}}"), HasSubstr("left unresolved"));
  EXPECT_THAT(error_of("{{$.inputs.artifacts['a'].path}}"), HasSubstr("['a'].path"));
}

TEST_F(ConstantsTest, InputWithoutAValueIsAnError) {
  Sketch sketch = one_task("STRING", "x " + channel("n"), {{"n", from_pipeline("n")}});
  sketch.spec["root"]["inputDefinitions"]["parameters"]["n"] = {{"parameterType", "STRING"},
                                                                {"isOptional", true}};
  run(sketch.pipeline());
  EXPECT_EQ(result.run.state, State::kFailed);
  EXPECT_THAT(result.run.error, AllOf(HasSubstr("say: input text"), HasSubstr("has no value")));
}

TEST_F(ConstantsTest, DefaultsStandInForWhatIsNotPassed) {
  EXPECT_EQ(said(one_task(
                "STRING", "n=" + placeholder("n"), json::object(),
                {{"n", {{"parameterType", "NUMBER_INTEGER"}, {"defaultValue", 7.0}, {"isOptional", true}}}})),
            "n=7");
}

// As older versions of the SDK wrote defaults: all of them texts.
TEST_F(ConstantsTest, ADefaultOfAnotherTypeIsPassedAsItIs) {
  Sketch sketch = one_task("NUMBER_INTEGER", 1);
  json& parameters = sketch.spec["components"]["comp-say"]["inputDefinitions"]["parameters"];
  parameters["text"] = {{"parameterType", "NUMBER_INTEGER"}, {"defaultValue", "1000"}, {"isOptional", true}};
  sketch.spec["root"]["dag"]["tasks"]["say"].erase("inputs");
  EXPECT_EQ(said(sketch), "1000");
}

TEST_F(ConstantsTest, PropertiesOfTheRunAsTheClusterReplacesThem) {
  EXPECT_EQ(said(one_task("STRING", "{{$.pipeline_job_name}}")), result.run.name);
  EXPECT_EQ(said(one_task("STRING", "{{$.pipeline_task_name}}")), "say");
  EXPECT_EQ(said(one_task("STRING", "{{$.pipeline_job_uuid}}")), result.run.id);
  EXPECT_THAT(recorder.warnings, IsEmpty());
  // Inside a text it stays on the cluster: the run says so.
  EXPECT_EQ(said(one_task("STRING", "job {{$.pipeline_job_name}}")), "job {{$.pipeline_job_name}}");
  EXPECT_THAT(recorder.warnings, Contains(AllOf(HasSubstr("say: input text"), HasSubstr("is not replaced"))));
  EXPECT_EQ(said(one_task("STRING", "{{$.Values.name}}")), "{{$.Values.name}}");
  EXPECT_THAT(recorder.warnings, Contains(HasSubstr("not a known placeholder")));
}

TEST_F(ConstantsTest, ArtifactsByPath) {
  Sketch sketch = one_task("STRING", "at {{$.inputs.artifacts['in'].path}}");
  sketch.spec["components"]["comp-say"]["inputDefinitions"]["artifacts"]["in"] = artifact();
  sketch.component("make", "echo x > \"$1\"",
                   {"{{$.outputs.artifacts['file'].path}}"})["outputDefinitions"] = {
      {"artifacts", {{"file", artifact()}}}};
  sketch.task("make");
  json& task = sketch.spec["root"]["dag"]["tasks"]["say"];
  task["inputs"]["artifacts"]["in"] = artifact_of("make", "file");
  task["dependentTasks"] = {"make"};
  const std::string text = said(sketch);
  EXPECT_EQ(text, "at " + output("make", "file").string());
}

TEST_F(ConstantsTest, InLoopsEachItemItsOwn) {
  Sketch sketch = one_task("STRING", "item " + channel("item") + " of " + channel("n"));
  json dag = {{"tasks", {{"say", sketch.spec["root"]["dag"]["tasks"]["say"]}}}};
  for (const char* name : {"item", "n"})
    dag["tasks"]["say"]["inputs"]["parameters"]["pipelinechannel--" + std::string(name)] =
        from_pipeline(name);
  sketch.spec["components"]["comp-loop"] = {
      {"dag", dag},
      {"inputDefinitions",
       {{"parameters", {{"item", of_type("STRING")}, {"n", of_type("NUMBER_INTEGER")}}}}}};
  sketch.spec["root"]["dag"]["tasks"] = {
      {"loop",
       {{"componentRef", {{"name", "comp-loop"}}},
        {"inputs", {{"parameters", {{"n", constant(3.0)}}}}},
        {"parameterIterator",
         {{"itemInput", "item"}, {"items", {{"raw", "[\"a\", \"b" + placeholder("n") + "\"]"}}}}}}}};
  run(sketch.pipeline());
  ASSERT_EQ(result.run.state, State::kSucceeded) << result.run.error;
  EXPECT_EQ(log("loop[0]/say"), "item a of 3");
  EXPECT_EQ(log("loop[1]/say"), "item b3 of 3");
}

TEST_F(ConstantsTest, LoopsOverAContainerResolveTheItem) {
  Sketch sketch =
      one_task("STRING", "item " + placeholder("item"), json::object(), {{"item", of_type("STRING")}});
  sketch.spec["root"]["dag"]["tasks"]["say"]["parameterIterator"] = {
      {"itemInput", "item"}, {"items", {{"raw", R"(["a", "{{$.pipeline_job_name}}"])"}}}};
  run(sketch.pipeline());
  ASSERT_EQ(result.run.state, State::kSucceeded) << result.run.error;
  EXPECT_EQ(log("say[0]"), "item a");
  EXPECT_EQ(log("say[1]"), "item {{$.pipeline_job_name}}");
}

TEST_F(ConstantsTest, InPipelinesInsidePipelinesAndConditions) {
  Sketch sketch = one_task("STRING", "");
  json inner = sketch.spec["root"]["dag"]["tasks"]["say"];
  inner["inputs"]["parameters"]["text"] = from_pipeline("given");
  sketch.spec["components"]["comp-inner"] = {
      {"dag", {{"tasks", {{"say", inner}}}}},
      {"inputDefinitions",
       {{"parameters", {{"given", of_type("STRING")}, {"n", of_type("NUMBER_INTEGER")}}}}}};
  sketch.spec["root"]["dag"]["tasks"] = {
      {"inner",
       {{"componentRef", {{"name", "comp-inner"}}},
        {"inputs",
         {{"parameters", {{"given", constant("n is " + placeholder("n"))}, {"n", constant(20.0)}}}}},
        {"triggerPolicy", {{"condition", "inputs.parameter_values['given'] == 'n is 20'"}}}}}};
  run(sketch.pipeline());
  ASSERT_EQ(result.run.state, State::kSucceeded) << result.run.error;
  EXPECT_EQ(log("inner/say"), "n is 20");
  // On the cluster the text stays: validate tells.
  std::string problems;
  for (const auto& problem : kfp::ir::validate(sketch.pipeline())) problems += problem.to_text() + '\n';
  EXPECT_THAT(problems,
              HasSubstr("warning: root.dag.tasks.inner.inputs.parameters.given.runtimeValue.constant: "
                        "{{$.inputs.parameters['n']}} is replaced only in the commands of containers"));
}

TEST_F(ConstantsTest, ImportersResolveConstantsOnly) {
  core::write_file(folder / "work" / "a20", "x");
  core::write_file(folder / "work" / (placeholder("n")), "y");
  for (const bool passed : {false, true}) {
    Sketch sketch;
    sketch.spec["components"]["comp-import"] = {
        {"executorLabel", "exec-import"},
        {"inputDefinitions",
         {{"parameters", {{"n", of_type("NUMBER_INTEGER")}, {"uri", of_type("STRING")}}}}},
        {"outputDefinitions", {{"artifacts", {{"artifact", artifact()}}}}}};
    sketch.spec["deploymentSpec"]["executors"]["exec-import"]["importer"] = {
        {"typeSchema", {{"schemaTitle", "system.Artifact"}}},
        {"artifactUri",
         passed ? json{{"runtimeParameter", "uri"}} : json{{"constant", "a" + placeholder("n")}}}};
    sketch.task("import")["inputs"]["parameters"] = {{"n", constant(20.0)}, {"uri", from_pipeline("uri")}};
    sketch.spec["root"]["inputDefinitions"]["parameters"]["uri"] = of_type("STRING");
    run(sketch.pipeline(), {{"uri", placeholder("n")}});
    ASSERT_EQ(result.run.state, State::kSucceeded) << result.run.error;
    EXPECT_EQ(output("import", "artifact").filename(), passed ? placeholder("n") : "a20");
  }
}

TEST_F(ConstantsTest, VariablesStayAsTheyAreWithAWarning) {
  Sketch sketch = one_task("STRING", "x");
  sketch.container("say")["env"] = {{{"name", "GREETING"}, {"value", "hi " + placeholder("text")}}};
  said(sketch);
  EXPECT_THAT(recorder.warnings, Contains(AllOf(HasSubstr("say"), HasSubstr("GREETING"))));
}

TEST_F(ConstantsTest, WholeNumbersAreIntegersInRecords) {
  run(one_task("STRUCT", json::parse(R"({"a": 1.0, "b": [2.0, 0.5], "c": 1e300})")).pipeline());
  EXPECT_EQ(task("say").inputs["text"].dump(), R"({"a":1,"b":[2,0.5],"c":1e+300})");
  Sketch sketch;
  // The executor output, whose place stands in what {{$}} is.
  sketch.component(
      "give",
      "file=$(echo \"$1\" | sed 's/.*\"outputFile\":\"\\([^\"]*executor_output.json\\)\".*/\\1/'); "
      "echo '{\"parameterValues\": {\"n\": 3.0, \"l\": [1.0]}}' > \"$file\"",
      {"{{$}}"});
  sketch.spec["components"]["comp-give"]["outputDefinitions"]["parameters"] = {
      {"n", of_type("NUMBER_INTEGER")}, {"l", of_type("LIST")}};
  sketch.task("give");
  run(sketch.pipeline());
  ASSERT_EQ(result.run.state, State::kSucceeded) << result.run.error;
  EXPECT_EQ(task("give").outputs.dump(), R"({"l":[1],"n":3})");
}

// A container with arguments and no command runs what its image runs by itself, which is not here.
class NoCommandTest : public ConstantsTest {
 protected:
  std::string refused(const json& container) {
    Sketch sketch = one_task("STRING", "touch");
    json& of = sketch.container("say");
    of = {{"image", "none"}};
    of.update(container);
    for (const auto& problem : kfp::ir::validate(sketch.pipeline()))
      EXPECT_NE(problem.severity, kfp::ir::Problem::Severity::kError) << problem.to_text();
    run(sketch.pipeline());
    EXPECT_EQ(result.run.state, State::kFailed);
    EXPECT_FALSE(std::filesystem::exists(folder / "work" / "ran"));
    return result.run.error;
  }
};

TEST_F(NoCommandTest, ArgumentsAreNoProgram) {
  const auto told =
      HasSubstr("the container has no command, and the entry point of its image is not known here");
  EXPECT_THAT(refused({{"args", {"touch", "ran"}}}), told);
  EXPECT_THAT(refused({{"args", {placeholder("text"), "ran"}}}), told);
  EXPECT_THAT(refused({{"command", json::array()}, {"args", {"touch", "ran"}}}), told);
  EXPECT_THAT(refused({{"command", {""}}, {"args", {"touch", "ran"}}}), told);
  EXPECT_THAT(refused(json::object()), told);
  // The first word of a command is no argument either: placeholders stay there.
  EXPECT_THAT(refused({{"command", {placeholder("text")}}, {"args", {"ran"}}}), HasSubstr("no program"));
}

}  // namespace
