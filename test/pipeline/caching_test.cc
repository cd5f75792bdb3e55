#include <gtest/gtest.h>

#include <set>

#include "kfp/compile/compile.h"
#include "kfp/ir/document.h"
#include "pipeline/components.h"
#include "pipeline/pipelines.h"

namespace {

using nlohmann::json;

// Kubeflow's cache knows an artifact by its metadata id, which is another one each time that its task runs:
// what a task without a cache gives to a cached one must be a parameter, or a second run computes all again.
TEST(Pipelines, GiveNoArtifactOfATaskWithoutCacheToATaskWithOne) {
  kfp::Registry registry;
  pipeline::register_components(registry);
  std::size_t artifacts = 0, uncached = 0;
  for (const auto& [name, summary] : pipeline::pipeline_names()) {
    const pipeline::ProjectPipeline project =
        pipeline::make_pipeline(name, registry, {.image = "calopipe:1"});
    const json spec = kfp::ir::to_json(kfp::dsl::compile(project.pipeline).spec);
    const json& tasks = spec.at("root").at("dag").at("tasks");
    const auto is_cached = [&](const std::string& task) {
      return tasks.at(task).value("/cachingOptions/enableCache"_json_pointer, false);
    };
    for (const auto& [task, content] : tasks.items()) {
      uncached += !is_cached(task);
      if (!is_cached(task)) continue;
      const json inputs = content.value("/inputs/artifacts"_json_pointer, json::object());
      for (const auto& [input, source] : inputs.items()) {
        const json* produced =
            source.contains("taskOutputArtifact") ? &source["taskOutputArtifact"] : nullptr;
        if (produced == nullptr) continue;
        ++artifacts;
        EXPECT_TRUE(is_cached(produced->at("producerTask"))) << name << ": " << task << " takes " << input;
      }
    }
  }
  EXPECT_GT(artifacts, 5u);
  EXPECT_EQ(uncached, 1u);  // input-parameters
}

}  // namespace
