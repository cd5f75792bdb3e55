#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "kfp/compile/compile.h"
#include "kfp/dsl/components.h"
#include "kfp/dsl/kubernetes.h"

// Mistakes are errors where they are made, or at the latest when the pipeline is compiled, and name both
// ends.
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

// The message of the error that `body` throws; empty where it throws none.
template <class Body>
std::string error_of(const Body& body) {
  try {
    body();
  } catch (const core::UsageError& error) {
    return error.what();
  }
  return "";
}

class Mistakes : public testing::Test {
 protected:
  Pipeline p{"mistakes"};
};

TEST_F(Mistakes, TypesOfParameters) {
  const Value coin = p.task(flip_coin()).output();
  EXPECT_THAT(error_of([&] { p.task(count()).set("n", coin); }),
              AllOf(HasSubstr("input \"n\" of task count (NUMBER_INTEGER)"),
                    HasSubstr("output \"out\" of task flip-coin (STRING)")));
  EXPECT_THAT(
      error_of([&] { p.task(count()).set("n", "3"); }),
      AllOf(HasSubstr("input \"n\" of task count-2"), HasSubstr("\"3\""), HasSubstr("NUMBER_INTEGER")));
  EXPECT_NE(error_of([&] { p.task(count()).set("n", 2.5); }), "");
  EXPECT_EQ(error_of([&] { p.task(count()).set("n", 2.0); }), "");
  EXPECT_NE(error_of([&] { p.task(say()).set("text", 2); }), "");
  EXPECT_NE(error_of([&] { p.task(say()).set("text", nullptr); }), "");
  EXPECT_NE(error_of([&] { p.task(add_up()).set("numbers", json::object()); }), "");
}

TEST_F(Mistakes, NumbersThatTheBackendDoesNotHold) {
  const Task task = p.task(count());
  EXPECT_EQ(error_of([&] { task.set("n", (std::int64_t{1} << 53) - 1); }), "");
  EXPECT_NE(error_of([&] { task.set("n", std::int64_t{1} << 53); }), "");
  EXPECT_NE(error_of([&] { task.set("n", -(std::int64_t{1} << 53)); }), "");
  EXPECT_NE(error_of([&] { task.set("n", std::uint64_t{1} << 63); }), "");
  EXPECT_NE(error_of([&] { p.task(prepare()).set("fraction", std::nan("")); }), "");
  EXPECT_NE(error_of([&] { p.task(prepare()).set("fraction", INFINITY); }), "");
  EXPECT_NE(error_of([&] { p.task(add_up()).set("numbers", json{1, std::int64_t{1} << 60}); }), "");
}

TEST_F(Mistakes, TypesOfArtifacts) {
  const Artifact model = p.task(fit()).set("n", 1).artifact();
  EXPECT_THAT(error_of([&] { p.task(prepare()).set("showers", model); }),
              AllOf(HasSubstr("input \"showers\" of task prepare (system.Dataset)"),
                    HasSubstr("output \"model\" of task fit (system.Model)")));
  EXPECT_THAT(error_of([&] { p.task(merge()).set("models", model); }), HasSubstr("list of system.Model"));
  EXPECT_THAT(error_of([&] { p.task(say()).set("text", model); }), HasSubstr("an artifact, not a parameter"));
  EXPECT_THAT(error_of([&] { p.task(use()).set("model", "s3://bucket/model"); }), HasSubstr("importer"));
  EXPECT_THAT(error_of([&] { p.task(use()).set("model", p.parameter("x")); }),
              HasSubstr("a parameter, not an artifact"));
  // system.Artifact is any of them.
  EXPECT_EQ(error_of([&] { p.task(use()).set("model", p.artifact_input("any")); }), "");
}

TEST_F(Mistakes, NamesOfInputsAndOutputs) {
  EXPECT_THAT(error_of([&] { p.task(say()).set("txet", "a"); }),
              AllOf(HasSubstr("task say"), HasSubstr("did you mean text?")));
  EXPECT_THAT(error_of([&] { p.task(flip_coin()).output("uot"); }),
              AllOf(HasSubstr("task flip-coin"), HasSubstr("did you mean out?")));
  EXPECT_THAT(error_of([&] { p.task(train()).artifact(); }),
              AllOf(HasSubstr("2 output artifacts"), HasSubstr("metrics, model")));
  EXPECT_THAT(error_of([&] { p.task(train()).output("model"); }), HasSubstr("artifact()"));
  EXPECT_THAT(error_of([&] { p.task(wait_a_bit()).output(); }), HasSubstr("has 0 output parameters"));
}

TEST_F(Mistakes, MissingInputs) {
  p.task(train()).set("epochs", 3).set("layers", json{1}).set("options", json::object());
  EXPECT_THAT(
      error_of([&] { compile(p); }),
      AllOf(HasSubstr("input \"prepared\" of task train (system.Dataset)"), HasSubstr("component train")));
}

TEST_F(Mistakes, OptionalInputsThatTheCommandNeeds) {
  ContainerComponent component = say();
  component.inputs["text"].optional = true;
  const Task task = p.task(component);
  EXPECT_THAT(error_of([&] { compile(p); }),
              AllOf(HasSubstr("input \"text\" of task say"), HasSubstr("if_present")));
  task.set("text", "a");
  EXPECT_EQ(error_of([&] { compile(p); }), "");
}

// The backend fails where such an input is not passed, whatever its default.
TEST_F(Mistakes, DefaultsThatTheCommandNeedsArePassed) {
  p.task(guess());
  const kfp::ir::Pipeline compiled = compile(p);
  const auto& inputs = compiled.spec.root->dag->tasks.at("guess").inputs;
  ASSERT_TRUE(inputs);
  EXPECT_EQ(inputs->parameters.at("a").runtime_value->constant, "nothing");
}

TEST_F(Mistakes, NamesGivenTwice) {
  p.parameter("n", kNumberInteger);
  EXPECT_THAT(error_of([&] { p.parameter("n"); }),
              AllOf(HasSubstr("input \"n\" of pipeline mistakes"), HasSubstr("NUMBER_INTEGER")));
  EXPECT_NE(error_of([&] { p.artifact_input("n"); }), "");
  const Value coin = p.task(flip_coin()).output();
  p.output("coin", coin);
  EXPECT_THAT(error_of([&] { p.output("coin", p.task(count()).set("n", 1).output()); }),
              AllOf(HasSubstr("output \"coin\""), HasSubstr("task flip-coin")));
  ContainerComponent component = say();
  component.outputs = {{"text", parameter(kString)}};
  EXPECT_THAT(error_of([&] { p.task(component); }), HasSubstr("of both an input and an output"));
}

TEST_F(Mistakes, Cycles) {
  const Task a = p.task(wait_a_bit());
  const Task b = p.task(wait_a_bit()).after(a);
  const Task c = p.task(repeat()).set("text", "c").after(b);
  a.after(c);
  EXPECT_THAT(error_of([&] { compile(p); }), HasSubstr("depends on itself"));
  EXPECT_THAT(error_of([&] { compile(p); }),
              AllOf(HasSubstr("wait waits for repeat"), HasSubstr("repeat waits for wait-2")));
  EXPECT_NE(error_of([&] { a.after(a); }), "");
  EXPECT_NE(error_of([&] { c.set("text", c.output()); }), "");
}

TEST_F(Mistakes, CyclesThroughGroups) {
  const Task before = p.task(repeat()).set("text", "a");
  std::optional<Task> inside;
  p.for_each(json{"a"}, [&](const Value&) { inside = p.task(say()).set("text", before.output()); });
  before.after(*inside);
  EXPECT_THAT(error_of([&] { compile(p); }), AllOf(HasSubstr("repeat"), HasSubstr("for-loop-2")));
}

TEST_F(Mistakes, ValuesFromInsideGroups) {
  const Value coin = p.task(flip_coin()).output();
  std::optional<Value> inside, item;
  p.if_(coin == "heads", [&] { inside = p.task(repeat()).set("text", "a").output(); });
  EXPECT_THAT(error_of([&] { p.task(say()).set("text", *inside); }),
              AllOf(HasSubstr("input \"text\" of task say"), HasSubstr("task repeat"),
                    HasSubstr("inside condition-1"), HasSubstr("one_of")));
  EXPECT_THAT(error_of([&] { p.task(say()).set("text", fmt::format("x{}", *inside)); }),
              HasSubstr("condition-1"));
  EXPECT_THAT(error_of([&] { p.output("a", *inside); }),
              AllOf(HasSubstr("output \"a\""), HasSubstr("condition-1")));
  EXPECT_THAT(error_of([&] { p.if_(*inside == "a", [] {}); }), HasSubstr("condition-1"));
  p.for_each(json{"a"}, [&](const Value& each) {
    item = each;
    inside = p.task(repeat()).set("text", each).output();
  });
  EXPECT_THAT(error_of([&] { p.task(say()).set("text", *item); }), HasSubstr("the item of for-loop-3"));
  EXPECT_THAT(error_of([&] { p.task(say()).set("text", *inside); }), HasSubstr("collected"));
  EXPECT_THAT(error_of([&] { p.for_each(*inside, [](const Value&) {}); }), testing::Ne(""));
  EXPECT_THAT(error_of([&] { kubernetes::mount_pvc(p.task(wait_a_bit()), *item, "/a"); }),
              HasSubstr("for-loop-3"));
}

TEST_F(Mistakes, Collected) {
  const Value outside = p.task(count()).set("n", 1).output();
  EXPECT_THAT(error_of([&] { p.task(add_up()).set("numbers", collected(outside)); }),
              AllOf(HasSubstr("input \"numbers\" of task add-up"), HasSubstr("task count")));
  EXPECT_NE(error_of([&] { collected(p.parameter("n")); }), "");
  std::optional<Value> inside;
  p.if_(outside == 1, [&] {
    p.for_each(json{1, 2}, [&](const Value& n) { inside = p.task(count()).set("n", n).output(); });
  });
  EXPECT_THAT(error_of([&] { p.task(add_up()).set("numbers", collected(*inside)); }),
              HasSubstr("condition-1"));
}

TEST_F(Mistakes, OneOf) {
  const Value coin = p.task(flip_coin()).output();
  std::vector<Value> texts, numbers;
  const auto say_it = [&] { texts.push_back(p.task(repeat()).set("text", "a").output()); };
  const Branches branches = p.if_(coin == "heads", say_it).elif_(coin == "tails", say_it);
  EXPECT_THAT(error_of([&] { one_of(texts); }), HasSubstr("else_"));
  branches.else_([&] { numbers.push_back(p.task(count()).set("n", 1).output()); });
  EXPECT_THAT(error_of([&] { one_of(texts); }), AllOf(HasSubstr("condition-4"), HasSubstr("lacks")));
  EXPECT_THAT(error_of([&] {
                one_of({texts[0], texts[1], numbers[0]});
              }),
              AllOf(HasSubstr("STRING"), HasSubstr("NUMBER_INTEGER"), HasSubstr("differ in type")));
  EXPECT_NE(error_of([&] { one_of({texts[0], texts[0]}); }), "");
  EXPECT_NE(error_of([&] { one_of({texts[0], coin}); }), "");
  EXPECT_NE(error_of([&] { one_of(std::vector<Value>{}); }), "");
}

TEST_F(Mistakes, Branches) {
  const Value coin = p.task(flip_coin()).output();
  const auto body = [&] { p.task(wait_a_bit()); };
  const Branches first = p.if_(coin == "heads", body);
  p.if_(coin == "tails", body);
  EXPECT_THAT(error_of([&] { first.else_(body); }), HasSubstr("right after"));
  EXPECT_THAT(error_of([&] { p.if_(coin == "x", [] {}); }), HasSubstr("no tasks"));
  EXPECT_NE(error_of([&] { p.if_(p.task(split()).output("names") == "a", body); }), "");
  EXPECT_NE(error_of([&] {
              p.if_(p.parameter("flag", kBoolean) == 1, body);
              compile(p);
            }),
            "");
}

TEST_F(Mistakes, Loops) {
  const auto body = [&](const Value&) { p.task(wait_a_bit()); };
  EXPECT_NE(error_of([&] { p.for_each(json::array(), body); }), "");
  EXPECT_NE(error_of([&] { p.for_each(json::object(), body); }), "");
  EXPECT_THAT(error_of([&] { p.for_each(json{1, "a"}, body); }), HasSubstr("different types"));
  EXPECT_NE(error_of([&] { p.for_each(json{1}, body, {.parallelism = -1}); }), "");
  EXPECT_THAT(error_of([&] { p.for_each(p.parameter("n", kNumberInteger), body); }),
              AllOf(HasSubstr("input \"n\" of the pipeline (NUMBER_INTEGER)"), HasSubstr("LIST")));
  EXPECT_THAT(error_of([&] {
                p.for_each(json::array({{{"a", 1}}}), [](const Value& item) { item["b"]; });
              }),
              HasSubstr("\"b\""));
  EXPECT_NE(error_of([&] { p.parameter("s", kStruct)["a"]; }), "");
}

// Items of unknown type are what they are used as, all the same.
TEST_F(Mistakes, ItemsOfUnknownType) {
  p.for_each(p.parameter("anything", kList), [&](const Value& item) {
    p.task(count()).set("n", item);
    EXPECT_THAT(error_of([&] { p.task(say()).set("text", item); }),
                AllOf(HasSubstr("task say"), HasSubstr("the item of for-loop-1 (NUMBER_INTEGER)")));
    p.task(say()).set("text", "a");
  });
}

TEST_F(Mistakes, ExitHandlers) {
  const Task flip = p.task(flip_coin());
  const auto body = [&] { p.task(wait_a_bit()); };
  EXPECT_THAT(error_of([&] { p.exit_handler(p.task(say()).set("text", flip.output()), body); }),
              AllOf(HasSubstr("input \"text\" of task say"), HasSubstr("task flip-coin")));
  EXPECT_NE(error_of([&] { p.exit_handler(p.task(wait_a_bit()).after(flip), body); }), "");
  const Task last = p.task(clean_up()).set("text", "a");
  std::optional<Value> inside;
  p.exit_handler(last, [&] { inside = p.task(repeat()).set("text", "b").output(); });
  EXPECT_NE(error_of([&] { p.exit_handler(last, body); }), "");
  EXPECT_THAT(error_of([&] { last.set("text", flip.output()); }), HasSubstr("exit task of exit-handler-1"));
  EXPECT_THAT(error_of([&] { p.task(say()).set("text", *inside); }), HasSubstr("exit-handler-1"));
  EXPECT_NE(error_of([&] { p.task(wait_a_bit()).after(last); }), "");
  EXPECT_THAT(
      error_of([&] { p.if_(flip.output() == "heads", [&] { p.exit_handler(p.task(wait_a_bit()), body); }); }),
      HasSubstr("cannot be inside condition-2"));
}

TEST_F(Mistakes, FinalStatus) {
  const Task status = p.task(clean_up()).set("text", "a");
  EXPECT_THAT(error_of([&] { compile(p); }),
              AllOf(HasSubstr("input \"status\" of task clean-up"), HasSubstr("exit")));
  status.ignore_upstream_failure();
  EXPECT_THAT(error_of([&] { compile(p); }), HasSubstr("waits for 0 tasks"));
  const Task first = p.task(wait_a_bit());
  const Task second = p.task(wait_a_bit());
  status.after(first).after(second);
  EXPECT_THAT(error_of([&] { compile(p); }), HasSubstr("wait, wait-2"));
  status.set("status", final_status(second));
  EXPECT_EQ(error_of([&] { compile(p); }), "");
  EXPECT_THAT(error_of([&] { p.task(say()).set("text", final_status(first)); }),
              HasSubstr("task_final_status()"));
  EXPECT_NE(error_of([&] { p.task(clean_up()).set("status", "ok"); }), "");
}

TEST_F(Mistakes, IgnoredFailuresNeedDefaults) {
  const Task flip = p.task(flip_coin());
  EXPECT_THAT(error_of([&] { p.task(say()).set("text", flip.output()).ignore_upstream_failure(); }),
              AllOf(HasSubstr("input \"text\" of task say"), HasSubstr("task flip-coin")));
}

TEST_F(Mistakes, OrderAcrossGroups) {
  const Value coin = p.task(flip_coin()).output();
  std::optional<Task> inside;
  p.if_(coin == "heads", [&] { inside = p.task(wait_a_bit()); });
  p.task(say()).set("text", "a").after(*inside);
  EXPECT_THAT(error_of([&] { compile(p); }),
              AllOf(HasSubstr("task say"), HasSubstr("task wait"), HasSubstr("condition-1")));
}

TEST_F(Mistakes, ImportersInConditions) {
  const Value word = p.parameter("word");
  EXPECT_THAT(
      error_of([&] { p.if_(word == "a", [&] { p.importer({.uri = "s3://a", .type = "system.Dataset"}); }); }),
      AllOf(HasSubstr("s3://a"), HasSubstr("condition-1")));
  EXPECT_THAT(error_of([&] { p.importer({.uri = "a", .type = "system.Datset"}); }),
              HasSubstr("system.Dataset"));
  EXPECT_NE(error_of([&] { p.importer({.uri = "a", .download_to_workspace = true}); }), "");
}

TEST_F(Mistakes, ValuesOfOtherPipelines) {
  Pipeline other("other");
  const Value theirs = other.task(flip_coin()).output();
  EXPECT_THAT(error_of([&] { p.task(say()).set("text", theirs); }),
              AllOf(HasSubstr("task say"), HasSubstr("pipeline mistakes"), HasSubstr("task flip-coin"),
                    HasSubstr("pipeline other")));
  EXPECT_NE(error_of([&] { p.task(say()).set("text", fmt::format("a {}", theirs)); }), "");
  EXPECT_NE(error_of([&] { p.output("a", theirs); }), "");
  EXPECT_NE(error_of([&] { p.if_(theirs == "a", [] {}); }), "");
  EXPECT_NE(error_of([&] { p.task(wait_a_bit()).after(other.task(wait_a_bit())); }), "");
  EXPECT_NE(error_of([&] { kubernetes::mount_pvc(p.task(wait_a_bit()), theirs, "/a"); }), "");
}

TEST_F(Mistakes, PipelinesThatHoldThemselves) {
  Pipeline other("other");
  other.task(p);
  EXPECT_THAT(error_of([&] { p.task(other); }), AllOf(HasSubstr("mistakes"), HasSubstr("other")));
  EXPECT_NE(error_of([&] { p.task(p); }), "");
}

TEST_F(Mistakes, Pipelines) {
  EXPECT_NE(error_of([] { Pipeline("Not lower case"); }), "");
  EXPECT_NE(error_of([] { Pipeline(std::string(129, 'a')); }), "");
  EXPECT_NE(error_of([] { Pipeline("x", {.workspace = WorkspaceOptions{.size = "big"}}); }), "");
  EXPECT_NE(error_of([] { Pipeline("x", {.timeout_seconds = -1}); }), "");
  EXPECT_THAT(error_of([&] { compile(p); }), HasSubstr("no tasks"));
  EXPECT_NE(error_of([&] { p.parameter("9"); }), "");
  EXPECT_NE(error_of([&] { p.parameter("n", kNumberInteger, {.default_value = "a"}); }), "");
  p.task(say()).set("text", workspace_path());
  EXPECT_THAT(error_of([&] { compile(p); }), HasSubstr("workspace"));
}

TEST_F(Mistakes, Components) {
  const auto use_component = [&](auto change) {
    ContainerComponent component = maybe();
    change(component);
    return error_of([&] { p.task(component); });
  };
  EXPECT_EQ(use_component([](ContainerComponent&) {}), "");
  EXPECT_THAT(use_component([](ContainerComponent& c) { c.image = ""; }), HasSubstr("no image"));
  EXPECT_THAT(use_component([](ContainerComponent& c) { c.args = {input("bb")}; }),
              AllOf(HasSubstr("args[0]"), HasSubstr("\"bb\"")));
  EXPECT_THAT(use_component([](ContainerComponent& c) { c.args = {input("data")}; }),
              HasSubstr("system.Dataset"));
  EXPECT_NE(use_component([](ContainerComponent& c) { c.args = {input_path("a")}; }), "");
  EXPECT_NE(use_component([](ContainerComponent& c) { c.args = {output_file("a")}; }), "");
  EXPECT_NE(use_component(
                [](ContainerComponent& c) { c.outputs["list"] = artifact("system.Model", {.list = true}); }),
            "");
  EXPECT_NE(use_component([](ContainerComponent& c) { c.name = "--"; }), "");
}

// Forms that the backend does not resolve are never written.
TEST_F(Mistakes, PlaceholdersThatTheBackendDoesNotResolve) {
  const auto use_args = [&](const std::vector<std::string>& args) {
    ContainerComponent component = maybe();
    component.outputs = {{"model", artifact("system.Model")}};
    component.args = args;
    return error_of([&] { p.task(component); });
  };
  EXPECT_THAT(use_args({"--a=" + if_present("a", {"x"})}), HasSubstr("separate argument"));
  EXPECT_THAT(use_args({if_present("data", {"x"})}), HasSubstr("parameters"));
  EXPECT_THAT(use_args({if_present("a", {output_path("model")})}), HasSubstr("output"));
  EXPECT_THAT(use_args({if_present("c", {"x"})}), HasSubstr("\"c\""));
  EXPECT_THAT(use_args({"{{$.outputs.output_file}}"}), HasSubstr("executor_input"));
  EXPECT_THAT(use_args({job_name()}), HasSubstr("input"));
  EXPECT_NE(use_args({"{{$.nonsense}}"}), "");
  EXPECT_THAT(error_of([&] { p.task(say()).set("text", "run " + job_name()); }), HasSubstr("whole value"));
  ContainerComponent component = say();
  component.command = {input("text")};
  EXPECT_THAT(error_of([&] { p.task(component); }), HasSubstr("first word"));
}

TEST_F(Mistakes, ConcatIsFolded) {
  ContainerComponent component = repeat();
  component.args = {R"({"Concat": ["--x=", {"Concat": ["{{$.inputs.parameters['text']}}", "!"]}]})",
                    output_file("out")};
  EXPECT_EQ(checked(component).args[0], "--x=" + input("text") + "!");
  EXPECT_EQ(concat({"--x=", input("text"), "!"}), checked(component).args[0]);
  component.args = {R"({"Concat": ["a", {"IfPresent": {"InputName": "text", "Then": "b"}}]})"};
  EXPECT_NE(error_of([&] { p.task(component); }), "");
}

TEST_F(Mistakes, Settings) {
  const Task task = p.task(wait_a_bit());
  EXPECT_THAT(error_of([&] { task.cpu_limit("many"); }),
              AllOf(HasSubstr("CPU limit of task wait"), HasSubstr("500m")));
  EXPECT_NE(error_of([&] { task.memory_limit("4GiB"); }), "");
  EXPECT_NE(error_of([&] { task.memory_request("1.5Gi"); }), "");
  EXPECT_NE(error_of([&] { task.accelerator("nvidia.com/gpu", "two"); }), "");
  EXPECT_NE(error_of([&] { task.cpu_limit(p.parameter("layers", kList)); }), "");
  EXPECT_NE(error_of([&] { task.retry({.count = -1}); }), "");
  EXPECT_NE(error_of([&] { task.retry({.backoff = "soon"}); }), "");
  EXPECT_NE(error_of([&] { task.env("", "a"); }), "");
  EXPECT_THAT(error_of([&] { task.env("A", p.parameter("x").text()); }), HasSubstr("literally"));
  const Task importer = p.importer({.uri = "a"});
  EXPECT_THAT(error_of([&] { importer.cpu_limit("1"); }), HasSubstr("does not run a container"));
  EXPECT_NE(error_of([&] { kubernetes::timeout(importer, 1); }), "");
}

TEST_F(Mistakes, KubernetesSettings) {
  const Task task = p.task(wait_a_bit());
  EXPECT_NE(error_of([&] { kubernetes::mount_pvc(task, "a", "relative"); }), "");
  EXPECT_NE(error_of([&] { kubernetes::mount_pvc(task, "", "/a"); }), "");
  EXPECT_NE(error_of([&] { kubernetes::secret_as_env(task, "a", {}); }), "");
  EXPECT_NE(error_of([&] {
              kubernetes::secret_as_env(task, p.parameter("n", kNumberInteger), {{"a", "b"}});
            }),
            "");
  EXPECT_NE(error_of([&] { kubernetes::image_pull_policy(task, "Sometimes"); }), "");
  EXPECT_NE(error_of([&] { kubernetes::toleration(task, {.value = "a"}); }), "");
  EXPECT_NE(error_of([&] { kubernetes::toleration(task, {.key = "a", .effect = "NoWay"}); }), "");
  EXPECT_NE(error_of([&] { kubernetes::node_affinity(task, {.expressions = {{"a", "Is"}}}); }), "");
  EXPECT_NE(error_of([&] {
              kubernetes::node_affinity(task, {.expressions = {{"a", "Exists"}}, .weight = 101});
            }),
            "");
  EXPECT_NE(error_of([&] { kubernetes::pod_affinity(task, {.labels = {{"a", "b"}}}); }), "");
  EXPECT_NE(error_of([&] { kubernetes::security_context(task, {}); }), "");
  EXPECT_NE(error_of([&] { kubernetes::security_context(task, {.user = -1}); }), "");
  EXPECT_NE(error_of([&] { kubernetes::timeout(task, -1); }), "");
}

}  // namespace
