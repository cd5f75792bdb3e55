#include <gtest/gtest.h>

#include "kfp/compile/compile.h"
#include "kfp/dsl/components.h"
#include "kfp/dsl/peer.h"

// Pipelines in C++, one per feature, beside the same in Python.
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)
using nlohmann::json;

TEST(Components, AreTheSdksComponentFiles) {
  const ContainerComponent all[] = {flip_coin(), say(),      repeat(), count(),  prepare(),
                                    train(),     split(),    merge(),  add_up(), fit(),
                                    use(),       clean_up(), maybe(),  guess(),  wait_a_bit()};
  for (const ContainerComponent& component : all) {
    SCOPED_TRACE(component.name);
    EXPECT_SAME_AS_SDK(compile(component), "component_" + component.name);
  }
}

TEST(Pipelines, PlainTasks) {
  Pipeline p("plain-tasks", {.description = "Two tasks.\nAnd what they pass on.",
                             .display_name = "Plain tasks",
                             .pipeline_root = "s3://bucket/root"});
  const Artifact showers = p.artifact_input("showers", "system.Dataset");
  const Value epochs = p.parameter("epochs", kNumberInteger, {.default_value = 20});
  const Value label = p.parameter("label", kString, {.default_value = "none"});
  const Value layers = p.parameter("layers", list_of(kNumberInteger), {.default_value = json{3, 4}});
  const Value options = p.parameter("options", struct_of(kString), {.default_value = json{{"a", "b"}}});
  const Value resume = p.parameter("resume", kBoolean, {.default_value = false});
  const Value rate = p.parameter("rate", kNumberDouble, {.default_value = 0.5});
  const Value comment = p.parameter("comment", kString, {.optional = true});
  const Task prepared = p.task(prepare()).set("showers", showers).set("fraction", rate).set("seed", 42);
  const Task trained = p.task(train())
                           .set("prepared", prepared.artifact("prepared"))
                           .set("epochs", epochs)
                           .set("layers", layers)
                           .set("options", options)
                           .set("resume", resume);
  p.task(say()).set("text", comment);
  p.task(say()).set("text", label);
  p.task(say()).set("text", "constant").display_name("Says something");
  p.task(train())
      .set("prepared", prepared.artifact())
      .set("epochs", 7)
      .set("layers", json{1, 2})
      .set("options", json{{"k", "v"}, {"n", 3}})
      .set("resume", true);
  p.output("Output", trained.artifact("model"));
  EXPECT_SAME_AS_SDK(compile(p), "plain_tasks");
}

TEST(Pipelines, Importers) {
  Pipeline p("importers");
  const Value uri = p.parameter("uri");
  const Task first = p.importer({.uri = uri, .type = "system.Dataset", .reimport = true});
  const Task second = p.importer(
      {.uri = "s3://bucket/showers.h5",
       .type = "system.Dataset",
       .metadata = {
           {"geometry", "SiW"}, {"angle", 90}, {"from", uri}, {"text", fmt::format("from {}", uri)}}});
  p.task(prepare()).set("showers", first.artifact()).set("fraction", 0.1).set("seed", 1);
  p.task(prepare()).set("showers", second.artifact()).set("fraction", 0.1).set("seed", 1);
  EXPECT_SAME_AS_SDK(compile(p), "importers");
}

}  // namespace
