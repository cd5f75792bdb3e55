#include <gtest/gtest.h>

#include "kfp/compile/compile.h"
#include "kfp/dsl/components.h"
#include "kfp/dsl/kubernetes.h"
#include "kfp/dsl/peer.h"

// Settings of tasks and pipelines, and nested pipelines: beside the same in Python.
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)
using nlohmann::json;

Pipeline inner_pipeline() {
  Pipeline p("inner", {.description = "Inner."});
  const Value word = p.parameter("word");
  const Value n = p.parameter("n", kNumberInteger, {.default_value = 2});
  p.artifact_input("data", "system.Dataset", {.optional = true});
  const Task said = p.task(repeat()).set("text", word);
  p.task(say()).set("text", said.output());
  p.if_(n == 2, [&] { p.task(count()).set("n", n); });
  kubernetes::timeout(p.task(wait_a_bit()), 10);
  p.output("Output", said.output());
  return p;
}

TEST(Nested, Pipelines) {
  const Pipeline inner = inner_pipeline();
  Pipeline middle("middle");
  const Value middle_word = middle.parameter("word");
  const Task a = middle.task(inner).set("word", middle_word);
  const Task b = middle.task(inner).set("word", a.output()).set("n", 5);
  middle.if_(middle_word == "x", [&] { middle.task(flip_coin()); });
  middle.output("Output", b.output());

  Pipeline p("outer");
  const Value word = p.parameter("word");
  const Task last = p.task(middle).set("word", word);
  p.task(say()).set("text", last.output());
  p.task(repeat()).set("text", word);
  kubernetes::timeout(p.task(wait_a_bit()), 10);
  const Task result = p.task(inner).set("word", "constant").set("n", 3);
  p.task(say()).set("text", result.output());
  p.for_each(json{"a", "b"}, [&](const Value& item) {
    p.task(inner).set("word", item).display_name("Inner one").caching(false);
  });
  EXPECT_SAME_AS_SDK(compile(p), "nested");
}

// A compiled pipeline is nested as the pipeline itself is.
TEST(Nested, CompiledPipelines) {
  const Pipeline inner = inner_pipeline();
  const auto outer = [](const auto& nested) {
    Pipeline p("outer");
    const Task first = p.task(nested).set("word", "a");
    p.task(nested).set("word", first.output()).set("n", 4);
    p.task(wait_a_bit());
    return compile(p);
  };
  EXPECT_EQ(kfp::ir::to_yaml(outer(kfp::ir::parse_pipeline(kfp::ir::to_yaml(compile(inner))))),
            kfp::ir::to_yaml(outer(inner)));
}

TEST(Settings, Retries) {
  Pipeline p("retries");
  p.task(wait_a_bit()).retry({.count = 3});
  p.task(wait_a_bit()).retry({.count = 1, .backoff = "5m", .factor = 1.5, .max_backoff = "2 hours"});
  p.task(wait_a_bit()).retry({.count = 0, .backoff = "90s"});
  EXPECT_SAME_AS_SDK(compile(p), "retries");
}

TEST(Settings, Caching) {
  Pipeline p("caching");
  p.task(wait_a_bit()).caching(false);
  p.task(wait_a_bit()).cache_key("my-key");
  p.task(wait_a_bit());
  EXPECT_SAME_AS_SDK(compile(p), "caching");
}

TEST(Settings, Resources) {
  Pipeline p("resources");
  const Value cpu = p.parameter("cpu", kString, {.default_value = "2"});
  const Value memory = p.parameter("memory", kString, {.default_value = "1Gi"});
  p.task(wait_a_bit()).cpu_limit("1").cpu_request("500m").memory_limit("4Gi").memory_request("500M");
  p.task(wait_a_bit()).accelerator("nvidia.com/gpu", "2");
  p.task(wait_a_bit()).accelerator("amd.com/gpu");
  p.task(wait_a_bit()).cpu_limit("0.25").memory_limit("1073741824");
  p.task(wait_a_bit()).memory_limit("3Ti").memory_request("7K");
  p.task(wait_a_bit()).memory_limit("1E").memory_request("3Mi");
  p.task(wait_a_bit()).memory_limit("11P").memory_request("13Ki");
  p.task(wait_a_bit()).cpu_limit(cpu).cpu_request(cpu).memory_limit(memory).memory_request(memory);
  const Task kind = p.task(flip_coin());
  p.task(wait_a_bit()).accelerator(kind.output(), cpu);
  p.for_each(json{"1", "2"}, [&](const Value& item) { p.task(say()).set("text", item).cpu_limit(item); });
  // The SDK forgets that the last but one task waits for what its resources are taken from.
  EXPECT_SDK_BUT(compile(p), "resources",
                 json::array({{{"op", "add"},
                               {"path", "/0/root/dag/tasks/wait-9/dependentTasks"},
                               {"value", json::array({"flip-coin"})}}}));
}

TEST(Settings, Environment) {
  Pipeline p("environment");
  p.task(wait_a_bit()).env("A", "b").env("C", "d e").env("A", "again");
  EXPECT_SAME_AS_SDK(compile(p), "environment");
}

TEST(Settings, Images) {
  Pipeline p("images");
  const Value tag = p.parameter("tag");
  p.task(wait_a_bit()).image("registry.example.org/other@sha256:1");
  p.task(wait_a_bit()).image(tag);
  const Task name = p.task(flip_coin());
  p.task(wait_a_bit()).image(fmt::format("registry.example.org/{}", name.output()));
  EXPECT_SAME_AS_SDK(compile(p), "images");
}

TEST(Inputs, Optional) {
  Pipeline p("optional-inputs");
  const Artifact showers = p.artifact_input("showers", "system.Dataset", {.optional = true});
  const Value word = p.parameter("word", kString, {.optional = true});
  const Value number = p.parameter("number", kNumberInteger, {.default_value = 0});
  p.task(maybe());
  p.task(maybe()).set("a", "a").set("b", "c");
  p.task(maybe()).set("a", word).set("data", showers);
  p.task(count()).set("n", number);
  EXPECT_SAME_AS_SDK(compile(p), "optional_inputs");
}

TEST(Inputs, ValuesInTexts) {
  Pipeline p("texts");
  const Value word = p.parameter("word");
  const Value n = p.parameter("n", kNumberInteger);
  const Value layers = p.parameter("layers", list_of(kNumberInteger));
  const Value coin = p.task(flip_coin()).output();
  p.task(say()).set("text", fmt::format("{} and {} and {}", word, n, coin));
  p.task(say()).set("text", fmt::format("again {}, {}", word, word));
  p.task(train())
      .set("prepared", p.importer({.uri = "u", .type = "system.Dataset"}).artifact())
      .set("epochs", n)
      .set("layers", layers)
      .set("options",
           json{{"a", coin}, {"b", fmt::format("is {}", word)}, {"c", json::array({"d", {{"e", word}}})}})
      .set("resume", false);
  p.if_(word == "x", [&] { p.task(say()).set("text", fmt::format("{}!", coin)); });
  p.for_each(json{"a", "b"}, [&](const Value& item) { p.task(say()).set("text", fmt::format("{}?", item)); });
  EXPECT_SAME_AS_SDK(compile(p), "texts");
}

TEST(Inputs, RunPlaceholders) {
  Pipeline p("run-placeholders");
  for (const std::string& placeholder : {job_name(), job_resource_name(), job_id(), task_name(), task_id(),
                                         job_create_time(), job_schedule_time()})
    p.task(say()).set("text", placeholder);
  EXPECT_SAME_AS_SDK(compile(p), "run_placeholders");
}

TEST(Pipelines, Workspace) {
  Pipeline p(
      "workspace",
      {.workspace = WorkspaceOptions{.size = "100Gi",
                                     .pvc_spec_patch = {{"storageClassName", "fast"},
                                                        {"accessModes", json::array({"ReadWriteMany"})}}},
       .ttl_seconds = 3600,
       .ttl_seconds_success = 60,
       .ttl_seconds_failure = 120,
       .timeout_seconds = 7200});
  p.task(say()).set("text", workspace_path() + "/data");
  p.importer({.uri = "s3://bucket/a", .type = "system.Dataset", .download_to_workspace = true});
  EXPECT_SAME_AS_SDK(compile(p), "workspace");
}

TEST(Pipelines, Timeout) {
  Pipeline p("timeout", {.timeout_seconds = 60});
  p.task(wait_a_bit());
  EXPECT_SAME_AS_SDK(compile(p), "pipeline_timeout");
}

TEST(Kubernetes, SecretsAndConfigMaps) {
  Pipeline p("secrets-and-config-maps");
  const Value name = p.parameter("name");
  const Task task = p.task(wait_a_bit());
  kubernetes::secret_as_env(task, "login", {{"password", "PASSWORD"}, {"user", "USER_NAME"}});
  kubernetes::secret_as_env(task, name, {{"token", "TOKEN"}}, {.optional = true});
  kubernetes::secret_as_volume(task, "krb-secret", "/secret/krb-secret-vol");
  kubernetes::secret_as_volume(task, name, "/secret/other", {.optional = true});
  kubernetes::config_map_as_env(task, "settings", {{"a", "A"}});
  kubernetes::config_map_as_volume(task, name, "/settings", {.optional = true});
  kubernetes::field_path_as_env(task, "POD", "metadata.name");
  kubernetes::image_pull_secrets(task, {"one", "two"});
  kubernetes::image_pull_policy(task, "Always");
  p.for_each(json{"a", "b"}, [&](const Value& item) {
    const Task said = p.task(say()).set("text", item);
    kubernetes::secret_as_env(said, item, {{"token", "TOKEN"}});
    kubernetes::secret_as_volume(said, name, "/secret");
  });
  EXPECT_SAME_AS_SDK(compile(p), "secrets");
}

TEST(Kubernetes, Placement) {
  Pipeline p("placement");
  const Value node_labels = p.parameter("node_labels", struct_of(kString));
  const Value toleration = p.parameter("toleration", struct_of(kString));
  const Value affinity = p.parameter("affinity", struct_of(kString));
  const Task task = p.task(wait_a_bit());
  kubernetes::pod_label(task, "mount-eos", "true");
  kubernetes::pod_label(task, "mount-kerberos-secret", "true");
  kubernetes::pod_annotation(task, "run", "x");
  kubernetes::node_selector(task, "gpu", "yes");
  kubernetes::toleration(
      task, {.key = "gpu", .operator_ = "Equal", .value = "yes", .effect = "NoExecute", .seconds = 10});
  kubernetes::toleration(task, {.key = "other", .operator_ = "Exists"});
  kubernetes::node_affinity(task, {.expressions = {{"zone", "In", {"a", "b"}}, {"gpu", "Exists"}},
                                   .fields = {{"metadata.name", "NotIn", {"n"}}},
                                   .weight = 50});
  kubernetes::node_affinity(task, {.expressions = {{"cpu", "Gt", {"8"}}}});
  kubernetes::timeout(task, 3600);
  kubernetes::security_context(task, {.user = 1000, .group = 0, .non_root = true});
  const Task dynamic = p.task(wait_a_bit());
  kubernetes::node_selector(dynamic, node_labels);
  kubernetes::toleration(dynamic, toleration);
  kubernetes::node_affinity(dynamic, affinity);
  EXPECT_SAME_AS_SDK(compile(p), "placement");
}

// The SDK's components for claims have descriptions of their own.
json without_descriptions(json data) {
  if (data.is_object()) {
    data.erase("description");
    for (auto& [key, value] : data.items()) value = without_descriptions(value);
  } else if (data.is_array()) {
    for (json& value : data) value = without_descriptions(value);
  }
  return data;
}

TEST(Kubernetes, Volumes) {
  Pipeline p("volumes");
  const Value claim = p.parameter("claim");
  const Value created = p.task(kubernetes::create_pvc())
                            .set("pvc_name_suffix", "-data")
                            .set("access_modes", json::array({"ReadWriteMany"}))
                            .set("size", "5Gi")
                            .set("storage_class_name", "standard")
                            .output("name");
  const Task first = p.task(wait_a_bit());
  kubernetes::mount_pvc(first, created, "/data");
  kubernetes::mount_pvc(first, "existing", "/eos", "user");
  const Task second = p.task(wait_a_bit());
  kubernetes::mount_pvc(second, claim, "/data");
  kubernetes::empty_dir(second, "scratch", "/scratch", {.medium = "Memory", .size = "5Gi"});
  kubernetes::empty_dir(second, "tmp", "/tmp");
  kubernetes::ephemeral_volume(
      second, "v", "/v",
      {.size = "1Gi", .storage_class = "fast", .labels = {{"a", "b"}}, .annotations = {{"c", "d"}}});
  kubernetes::ephemeral_volume(second, "w", "/w", {.size = "1Gi"});
  p.if_(claim == "x", [&] { kubernetes::mount_pvc(p.task(wait_a_bit()), created, "/inside"); });
  p.task(kubernetes::delete_pvc()).set("pvc_name", created).after(first);
  const kfp::ir::Pipeline compiled = compile(p);
  EXPECT_FALSE(kfp::ir::has_errors(kfp::ir::validate(compiled)));
  const json theirs = documents(core::read_file(test::peer_folder() / "volumes.yaml"));
  const json ours = documents(kfp::ir::to_yaml(compiled));
  EXPECT_EQ(without_descriptions(ours), without_descriptions(theirs))
      << json::diff(without_descriptions(theirs), without_descriptions(ours)).dump(1);
}

// Settings that the backend knows and the SDK has no functions for.
TEST(Kubernetes, WhatTheSdkLacks) {
  Pipeline p("more-settings");
  const Task task = p.task(wait_a_bit());
  kubernetes::shared_memory(task, "shm", "1Gi");
  kubernetes::pod_affinity(task, {.labels = {{"app", "cache"}}, .topology_key = "kubernetes.io/hostname"});
  kubernetes::pod_anti_affinity(
      task,
      {.expressions = {{"app", "In", {"train"}}}, .topology_key = "kubernetes.io/hostname", .weight = 10});
  kubernetes::settings(task).init_containers.push_back(
      {.name = "first", .image = kImage, .command = {"prepare"}});
  const kfp::ir::Pipeline compiled = compile(p);
  EXPECT_FALSE(kfp::ir::has_errors(kfp::ir::validate(compiled)));
  const json expected = {
      {"enabledSharedMemory", {{"volumeName", "shm"}, {"size", "1Gi"}}},
      {"podAffinity",
       json::array(
           {{{"matchPodLabels", {{"app", "cache"}}}, {"topologyKey", "kubernetes.io/hostname"}},
            {{"matchPodExpressions",
              json::array({{{"key", "app"}, {"operator", "In"}, {"values", json::array({"train"})}}})},
             {"topologyKey", "kubernetes.io/hostname"},
             {"weight", 10},
             {"anti", true}}})},
      {"initContainers",
       json::array({{{"name", "first"}, {"image", kImage}, {"command", json::array({"prepare"})}}})}};
  const json written = documents(kfp::ir::to_yaml(compiled)).at(1);
  EXPECT_EQ(written["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-wait"], expected);
}

// A value inside a text inside two loops: the SDK passes the item from outside of its loop, where it is not.
TEST(Inputs, ItemsInTextsInNestedLoops) {
  Pipeline p("items-in-texts");
  const Value word = p.parameter("word");
  p.for_each(json{"a", "b"}, [&](const Value& outer) {
    p.for_each(json::array({{{"x", "c"}}}), [&](const Value& inner) {
      p.if_(inner["x"] == "c",
            [&] { p.task(say()).set("text", fmt::format("{} {} {}", outer, inner["x"], word)); });
    });
  });
  const kfp::ir::Pipeline compiled = compile(p);
  for (const kfp::ir::Problem& problem : kfp::ir::validate(compiled))
    EXPECT_NE(problem.severity, kfp::ir::Problem::Severity::kError) << problem.to_text();
  const kfp::ir::Task& task = compiled.spec.components.at("comp-condition-5").dag->tasks.at("say");
  const auto& inputs = task.inputs->parameters;
  EXPECT_EQ(inputs.size(), 4u);
  const kfp::ir::TaskInputParameter& field = inputs.at("pipelinechannel--loop-item-param-3-subvar-x");
  EXPECT_EQ(field.component_input_parameter, "pipelinechannel--loop-item-param-3");
  EXPECT_EQ(field.parameter_expression_selector, "parseJson(string_value)[\"x\"]");
  EXPECT_EQ(compiled.spec.root->dag->tasks.at("for-loop-2").inputs->parameters.size(), 1u);  // word
}

TEST(Components, LoadedFromFiles) {
  const ContainerComponent loaded{.name = "loaded",
                                  .inputs = {{"data", artifact("system.Dataset")},
                                             {"n", parameter(kNumberInteger, {.default_value = 3})}},
                                  .outputs = {{"out", parameter(kString)}},
                                  .image = "registry.example.org/loaded@sha256:1",
                                  .command = {"loaded"},
                                  .args = {"--n", input("n"), input_path("data")}};
  const kfp::ir::Pipeline file = kfp::ir::parse_pipeline(kfp::ir::to_yaml(compile(loaded)));
  Pipeline p("loaded-components");
  const Artifact data = p.artifact_input("data", "system.Dataset");
  const Task first = p.task(file).set("data", data).set("n", 4);
  p.task(say()).set("text", first.output());
  p.task(component_from_ir(file)).set("data", data).set("n", 5);
  EXPECT_SAME_AS_SDK(compile(p), "loaded_components");
}

}  // namespace
