#include "kfp/ir/goldens.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "kfp/compile/compile.h"
#include "kfp/dsl/components.h"
#include "kfp/dsl/peer.h"

// Pipelines of the Python SDK's own tests that use container components, built in C++; and what we compile,
// loaded by the SDK.
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)
using nlohmann::json;

const std::string kUbi = "registry.access.redhat.com/ubi9/python-311:latest";

#define EXPECT_GOLDEN(ours, name, differences)                                                             \
  do {                                                                                                     \
    const kfp::ir::Pipeline compiled_here = ours;                                                          \
    if (test::goldens_folder().empty()) GTEST_SKIP() << "the pipelines of the SDK's tests are not here";   \
    test::expect_same(compiled_here, test::goldens_folder() / (std::string(name) + ".yaml"), differences); \
  } while (false)

const json kSame = json::array();

// The goldens of the repository are what the SDK compiles today, but for its version.
TEST(Goldens, OfTheRepositoryAreTheSdks) {
  if (std::getenv("CALOPIPE_PYTHON") == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(test::peer_folder())) {
    SCOPED_TRACE(entry.path().filename());
    EXPECT_EQ(documents(core::read_file(test::own_goldens_folder() / entry.path().filename())),
              documents(core::read_file(entry.path())));
    ++count;
  }
  for (const auto& entry : std::filesystem::directory_iterator(test::own_goldens_folder()))
    EXPECT_TRUE(entry.path().extension() != ".yaml" ||
                std::filesystem::exists(test::peer_folder() / entry.path().filename()))
        << entry.path();
  EXPECT_GT(count, 40u);
}

TEST(Goldens, Components) {
  const ContainerComponent hello{.name = "echo", .image = kUbi, .command = {"echo"}, .args = {"hello world"}};
  for (const char* name : {"hello_world", "mounted_cabundle_configmap", "run_as_user_cache_enabled"})
    EXPECT_GOLDEN(compile(hello), name, kSame);
  EXPECT_GOLDEN(compile({.name = "container_io",
                         .inputs = {{"text", parameter()}},
                         .outputs = {{"output_path", parameter()}},
                         .image = kUbi,
                         .command = {"my_program", input("text")},
                         .args = {"--output_path", output_file("output_path")}}),
                "container_io", kSame);
  EXPECT_GOLDEN(
      compile({.name = "container_with_placeholder_in_fstring",
               .inputs = {{"text1", parameter(kString, {.default_value = "text!"})}},
               .outputs = {{"output_artifact", artifact()}},
               .image = kUbi,
               .command = {"my_program", "prefix-" + input("text1"), output_uri("output_artifact") + "/0"}}),
      "container_with_placeholder_in_fstring", kSame);
  EXPECT_GOLDEN(compile(ContainerComponent{.name = "echo",
                                           .inputs = {{"param1", parameter()}, {"param2", parameter()}},
                                           .image = kUbi,
                                           .command = {"echo"},
                                           .args = {input("param1") + "-" + input("param2")}},
                        {.defaults = {{"param1", "hello"}}}),
                "arguments_parameters", kSame);
}

// Concat, which the backend does not resolve, is one text here.
TEST(Goldens, Concat) {
  EXPECT_GOLDEN(
      compile({.name = "container_with_concat_placeholder",
               .inputs = {{"text1", parameter()}},
               .outputs = {{"text2", artifact("system.Dataset")}, {"output_path", parameter()}},
               .image = kUbi,
               .command = {"my_program", concat({"prefix-", input("text1"), output_uri("text2")})},
               .args = {"--output_path", output_file("output_path")}}),
      "container_with_concat_placeholder",
      json::array(
          {{{"op", "replace"},
            {"path",
             "/0/deploymentSpec/executors/exec-container-with-concat-placeholder/"
             "container/command/1"},
            {"value", "prefix-{{$.inputs.parameters['text1']}}{{$.outputs.artifacts['text2'].uri}}"}}}));
  Pipeline p("one-step-pipeline-with-concat-placeholder");
  p.task({.name = "component_with_concat_placeholder",
          .inputs = {{"input_one", parameter()}, {"input_two", parameter()}},
          .image = "ghcr.io/containerd/busybox",
          .command = {"sh", "-ec"},
          .args = {R"(echo "$0" > /tmp/test && [[ "$0" == 'one+two=three' ]])",
                   concat({input("input_one"), "+", input("input_two"), "=three"})}})
      .set("input_one", "one")
      .set("input_two", "two");
  EXPECT_GOLDEN(compile(p), "pipeline_with_concat_placeholder",
                json::array({{{"op", "replace"},
                              {"path",
                               "/0/deploymentSpec/executors/exec-component-with-concat-placeholder/"
                               "container/args/1"},
                              {"value",
                               "{{$.inputs.parameters['input_one']}}+"
                               "{{$.inputs.parameters['input_two']}}=three"}}}));
}

TEST(Goldens, SimplePipelines) {
  Pipeline hello("v2-container-component-no-input");
  hello.task({.name = "hello_world_container", .image = kUbi, .command = {"echo", "hello world"}});
  EXPECT_GOLDEN(compile(hello), "critical__container_component_with_no_inputs", kSame);

  Pipeline named("echo-name", {.display_name = "echo-displayname"});
  named.task({.name = "echo",
              .image = "public.ecr.aws/docker/library/python:3.12",
              .command = {"echo"},
              .args = {"hello world"}});
  EXPECT_GOLDEN(compile(named), "pipeline_with_only_display_name", kSame);

  Pipeline sequential("sequential");
  const Task download =
      sequential
          .task({.name = "download",
                 .inputs = {{"url", parameter()}},
                 .outputs = {{"downloaded", parameter()}},
                 .image = "google/cloud-sdk",
                 .command = {"sh", "-c"},
                 .args = {fmt::format("gsutil cp {} {}", input("url"), output_file("downloaded"))}})
          .set("url", sequential.parameter("url"));
  sequential
      .task({.name = "echo",
             .inputs = {{"downloaded", parameter()}},
             .image = "library/bash",
             .command = {"sh", "-c"},
             .args = {"echo " + input("downloaded")}})
      .set("downloaded", download.output());
  EXPECT_GOLDEN(compile(sequential), "sequential_v2", kSame);

  Pipeline waiting("wait-awhile");
  const ContainerComponent wait{.name = "wait_op",
                                .image = "alpine:latest",
                                .command = {"sh", "-c"},
                                .args = {"echo step-1 sleeping for 5m; sleep 300; echo done1"}};
  const Task first = waiting.task(wait);
  waiting.task(wait).after(first);
  EXPECT_GOLDEN(compile(waiting), "long-running", kSame);
}

TEST(Goldens, ExitHandler) {
  Pipeline p("pipeline-with-task-final-status-yaml");
  const Value message = p.parameter("message", kString, {.default_value = "Hello World!"});
  const Task exit =
      p.task({.name = "exit_op",
              .inputs = {{"user_input", parameter()}, {"status", task_final_status()}},
              .image = kUbi,
              .command = {"echo", "user input:", input("user_input"), "pipeline status:", input("status")}})
          .set("user_input", message);
  p.exit_handler(
      exit,
      [&] {
        p.task({.name = "print_op",
                .inputs = {{"message", parameter()}},
                .image = kUbi,
                .command = {"echo", input("message")}})
            .set("message", message);
      },
      "my-pipeline");
  EXPECT_GOLDEN(compile(p), "pipeline_with_task_final_status_yaml", kSame);
}

TEST(Goldens, Importer) {
  Pipeline p("pipeline-with-importer-and-gcpc-type");
  const Task importer = p.importer({.uri = "gs://ml-pipeline-playground/shakespeare1.txt",
                                    .type = "google.VertexDataset",
                                    .metadata = {{"key", "value"}}});
  p.task({.name = "consumer_op",
          .inputs = {{"dataset", artifact("google.VertexDataset")}},
          .image = "dummy",
          .command = {"cmd"},
          .args = {input_path("dataset")}})
      .set("dataset", importer.artifact());
  EXPECT_GOLDEN(compile(p), "pipeline_with_importer_and_gcpc_types", kSame);
}

// A component of a golden: its interface and container, whatever the language that they came from.
ContainerComponent component_of(const kfp::ir::Pipeline& golden, const std::string& name) {
  const kfp::ir::ComponentSpec& spec = golden.spec.components.at("comp-" + name);
  const kfp::ir::Container& container =
      *golden.spec.deployment_spec->executors.at(*spec.executor_label).container;
  return {.name = name,
          .inputs = inputs_from_ir(spec),
          .outputs = outputs_from_ir(spec),
          .image = *container.image,
          .command = container.command,
          .args = container.args};
}

// Ours with the containers of the golden, where "function_to_execute" has been shortened to the label.
kfp::ir::Pipeline with_containers_of(const kfp::ir::Pipeline& golden, kfp::ir::Pipeline ours) {
  for (auto& [label, executor] : ours.spec.deployment_spec->executors)
    if (golden.spec.deployment_spec->executors.contains(label))
      executor.container->args = golden.spec.deployment_spec->executors.at(label).container->args;
  return ours;
}

#define NEED_GOLDENS() \
  if (test::goldens_folder().empty()) GTEST_SKIP() << "the pipelines of the SDK's tests are not here"

TEST(Goldens, NestedConditionsLoopsAndOneOfs) {
  NEED_GOLDENS();
  const kfp::ir::Pipeline golden =
      kfp::ir::read_pipeline(test::goldens_folder() / "if_elif_else_complex.yaml");
  const ContainerComponent draw = component_of(golden, "int-0-to-9999");
  const ContainerComponent parity = component_of(golden, "is-even-or-odd");
  const ContainerComponent print = component_of(golden, "print-and-return");
  Pipeline p("lucky-number-pipeline");
  const Value drumroll = p.parameter("add_drumroll", kBoolean, {.default_value = true});
  const Value again = p.parameter("repeat_if_lucky_number", kBoolean, {.default_value = true});
  const Value trials = p.parameter("trials", list_of(kNumberInteger), {.default_value = json{1, 2, 3}});
  const auto print_text = [&](const auto& text) { return p.task(print).set("text", text).output(); };
  const auto by_parity = [&](const Value& number, const std::string& range) {
    const Value odd = p.task(parity).set("num", number).output();
    std::vector<Value> printed;
    p.if_(odd == "even", [&] {
       printed.push_back(print_text(fmt::format("Got a {} even number!", range)));
     }).else_([&] { printed.push_back(print_text(fmt::format("Got a {} odd number!", range))); });
    print_text(one_of(printed));
  };
  std::optional<Value> number;
  p.for_each(trials, [&](const Value& trial) {
    p.if_(drumroll == true,
          [&] { p.if_(trial == 3, [&] { print_text("Adding drumroll on last trial!"); }); });
    number = p.task(draw).caching(false).output();
    p.if_(*number < 5000, [&] { by_parity(*number, "low"); })
        .elif_(*number > 5000, [&] { by_parity(*number, "high"); })
        .else_([&] {
          print_text("Announcing: Got the lucky number 5000! A one in 10,000 chance.");
          p.if_(again == true, [&] {
            p.for_each(json{1, 2}, [&](const Value&) {
              print_text("Announcing again: Got the lucky number 5000! A one in 10,000 chance.");
            });
          });
        });
  });
  p.task(component_of(golden, "print-ints")).set("ints", collected(*number));
  EXPECT_GOLDEN(with_containers_of(golden, compile(p)), "if_elif_else_complex", kSame);
}

TEST(Goldens, Loops) {
  NEED_GOLDENS();
  const kfp::ir::Pipeline golden =
      kfp::ir::read_pipeline(test::goldens_folder() / "parallel_and_nested__pipeline_with_loops.yaml");
  const ContainerComponent text = component_of(golden, "print-text");
  const ContainerComponent structure = component_of(golden, "print-struct");
  Pipeline p("pipeline-with-loops");
  const Value parameter = p.parameter("loop_parameter", list_of(kString), {.default_value = json{"a", "b"}});
  p.for_each(parameter, [&](const Value& item) { p.task(text).set("msg", item); });
  const auto print_fields = [&](const Value& item) {
    p.task(structure).set("struct", item);
    p.task(text).set("msg", item["A_a"]);
    p.task(text).set("msg", item["B_b"]);
  };
  ContainerComponent generator = component_of(golden, "args-generator-op");
  generator.outputs.at("Output").type = list_of(struct_of(kString));  // the IR says LIST only
  p.for_each(p.task(generator).output(), print_fields);
  p.for_each(json::array({{{"A_a", "1"}, {"B_b", "2"}}, {{"A_a", "10"}, {"B_b", "20"}}}), print_fields);
  EXPECT_GOLDEN(with_containers_of(golden, compile(p)), "parallel_and_nested__pipeline_with_loops", kSame);
}

TEST(Goldens, OrderAcrossLoops) {
  NEED_GOLDENS();
  const kfp::ir::Pipeline golden =
      kfp::ir::read_pipeline(test::goldens_folder() / "cross_loop_after_topology.yaml");
  const ContainerComponent print = component_of(golden, "print-op");
  Pipeline p("my-pipeline");
  const json items = {1, 2};
  std::optional<Task> one, three, five, seven;
  const auto say_it = [&](const char* message) { return p.task(print).set("message", message); };
  p.for_each(items, [&](const Value&) { one = say_it("one"); });
  p.for_each(items, [&](const Value&) { say_it("two").after(*one); });
  p.for_each(items, [&](const Value&) {
    three = say_it("three");
    p.for_each(items, [&](const Value&) { say_it("four").after(*three); });
  });
  p.for_each(items, [&](const Value&) { five = say_it("five"); });
  say_it("six").after(*five);
  p.for_each(items, [&](const Value&) {
    p.for_each(items, [&](const Value&) { seven = say_it("seven"); });
    say_it("eight").after(*seven);
  });
  EXPECT_GOLDEN(with_containers_of(golden, compile(p)), "cross_loop_after_topology", kSame);
}

// The SDK loads what we compile, and writes it again as the same data.
TEST(Sdk, LoadsWhatWeCompile) {
  Pipeline inner("inner");
  const Value inner_word = inner.parameter("word", kString, {.description = "What is said."});
  inner.output("said", inner.task(repeat()).set("text", inner_word).output());
  Pipeline p("everything", {.description = "Much.", .timeout_seconds = 60});
  const Value word = p.parameter("word", kString, {.default_value = "a"});
  const Task nested = p.task(inner).set("word", word);
  std::optional<Value> counted;
  p.for_each(json{1, 2}, [&](const Value& n) { counted = p.task(count()).set("n", n).retry({}).output(); });
  p.task(add_up()).set("numbers", collected(*counted)).cpu_limit("2").caching(false);
  std::vector<Artifact> models;
  p.if_(nested.output("said") == "b", [&] {
     models.push_back(p.task(fit()).set("n", 1).artifact());
   }).else_([&] { models.push_back(p.task(fit()).set("n", 2).artifact()); });
  p.output("model", one_of(models), {.description = "Of the branch that ran."});
  p.exit_handler(p.task(clean_up()).set("text", "done"), [&] { p.task(say()).set("text", word); });
  const kfp::ir::Pipeline compiled = compile(p);

  const char* python = std::getenv("CALOPIPE_PYTHON");
  if (python == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  const test::TempFolder folder;
  core::write_file(folder / "everything.yaml", kfp::ir::to_yaml(compiled));
  for (const ContainerComponent& component : {flip_coin(), prepare(), train(), maybe(), merge(), clean_up()})
    core::write_file(folder / (component.name + ".yaml"), kfp::ir::to_yaml(compile(component)));
  const std::string command = fmt::format("'{}' '{}/test/kfp/dsl/peer_pipelines.py' reload '{}'", python,
                                          CALOPIPE_SOURCE_DIR, folder.path().string());
  EXPECT_EQ(std::system(command.c_str()), 0);
}

}  // namespace
