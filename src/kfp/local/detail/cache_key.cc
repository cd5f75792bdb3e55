#include "kfp/local/detail/cache_key.h"

#include "core/hash.h"
#include "kfp/ir/document.h"

namespace kfp::local {
using nlohmann::json;

std::string cache_key(const ir::Task& task, const ir::ComponentSpec& component, const ir::Executor& executor,
                      const Values& inputs, const std::string& program_version) {
  // Labels and resource settings affect the place of execution, not the result.
  ir::PipelineSpec what;
  ir::ComponentSpec& interface = what.components["component"] = component;
  interface.executor_label = "executor";
  interface.single_platform_specs.clear();
  ir::Executor& runs = what.deployment_spec.emplace().executors["executor"] = executor;
  if (runs.container) runs.container->resources.reset();

  json key = {{"spec", ir::to_json(what)}};
  if (task.caching_options && !task.caching_options->cache_key.value_or("").empty()) {
    key["cacheKey"] = *task.caching_options->cache_key;
    return core::sha256(key.dump());
  }
  key["version"] = program_version;
  key["parameters"] = inputs.parameters;
  for (const auto& [name, list] : inputs.artifacts)
    for (const Artifact& artifact : list)
      key["artifacts"][name].push_back(
          {{"content", artifact.sha256.empty() ? "at " + artifact.uri : artifact.sha256},
           {"type", artifact.type},
           {"metadata", artifact.metadata}});
  return core::sha256(key.dump());
}

}  // namespace kfp::local
