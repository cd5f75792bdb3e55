#include "pipeline/site_pod.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "kfp/compile/argo/argo.h"
#include "kfp/site/site.h"
#include "pipeline/pipelines.h"

namespace pipeline {
namespace {

using nlohmann::json;

// What Argo has no field for, it gets as a text that changes the pod.
void patch(json& pod, const std::string& text, const SitePodOptions& options) {
  const json changes = json::parse(text, nullptr, false);
  if (changes.is_discarded() || text.find("{{") != std::string::npos)
    throw core::InputError(
        {.message = fmt::format("has settings for {} that depend on a run of a pipeline", options.component),
         .file = options.site});
  for (const auto& [name, value] : changes.items()) {
    if (name == "containers")
      pod["containers"][0].merge_patch(value.at(0));
    else
      pod[name] = value;
  }
  pod["containers"][0]["name"] = options.container;
}

template <class Condition>
void drop(json& list, const Condition& condition) {
  if (!list.is_array()) return;
  list.erase(std::remove_if(list.begin(), list.end(), condition), list.end());
}

bool is_of_artifacts(const json& volume) {
  return volume.value("name", "").starts_with("kfp-");
}

// A pipeline whose only task is the component.
kfp::ir::Pipeline pipeline_of(const SitePodOptions& options) {
  kfp::ir::Pipeline pipeline;
  pipeline.spec.schema_version = "2.1.0";
  pipeline.spec.pipeline_info = kfp::ir::PipelineInfo{.name = options.component};
  kfp::ir::ComponentSpec component;
  component.executor_label = "exec-" + options.component;
  pipeline.spec.components["comp-" + options.component] = component;
  kfp::ir::Executor executor;
  executor.container =
      kfp::ir::Container{.image = default_image(), .command = options.command, .args = options.arguments};
  pipeline.spec.deployment_spec = kfp::ir::DeploymentConfig{};
  pipeline.spec.deployment_spec->executors["exec-" + options.component] = executor;
  kfp::ir::Task task;
  task.component_ref = kfp::ir::ComponentRef{.name = "comp-" + options.component};
  kfp::ir::ComponentSpec root;
  root.dag = kfp::ir::Dag{};
  root.dag->tasks[options.component] = task;
  pipeline.spec.root = root;
  return pipeline;
}

}  // namespace

SitePod site_pod(const kfp::Registry& registry, const SitePodOptions& options) {
  kfp::ir::Pipeline pipeline = pipeline_of(options);
  std::vector<std::string> components;
  for (const auto& [name, factory] : registry.all()) components.push_back(name);
  kfp::Site site;
  if (!options.site.empty()) site = kfp::Site::read(options.site, components);
  if (!options.image.empty()) site.set_image(options.image);
  site.apply(pipeline, default_image());
  kfp::argo::ArgoOptions argo = kfp::argo::options_from_json(site.argo(), options.site);
  argo.volume.reset();  // of artifacts, which this pod has not
  argo.s3.reset();
  if (argo.kerberos) argo.kerberos->renew_image.clear();  // such a pod ends with its first container
  json workflow = kfp::argo::compile(pipeline, argo);
  for (json& one : workflow["spec"]["templates"]) {
    if (one["name"] != options.component) continue;
    json container = std::move(one["container"]);
    drop(container["env"], [](const json& variable) {  // of Argo: number of the attempt
      return variable.value("value", "").find("{{") != std::string::npos;
    });
    drop(container["volumeMounts"], is_of_artifacts);
    drop(one["volumes"], is_of_artifacts);
    container["name"] = options.container;
    SitePod made;
    if (one.contains("metadata")) made.metadata = one["metadata"];
    json& pod = made.spec;
    pod = {{"restartPolicy", "Never"}, {"containers", json::array({container})}};
    if (one.contains("podSpecPatch")) patch(pod, one["podSpecPatch"].get<std::string>(), options);
    for (const char* name : {"volumes", "initContainers", "nodeSelector", "tolerations", "affinity",
                             "securityContext", "serviceAccountName", "hostAliases"})
      if (one.contains(name)) pod[name] = one[name];
    for (const char* name : {"imagePullSecrets", "serviceAccountName", "securityContext"})
      if (workflow["spec"].contains(name) && !pod.contains(name)) pod[name] = workflow["spec"][name];
    return made;
  }
  throw core::InputError({.message = "has no task " + options.component, .file = options.site});
}

}  // namespace pipeline
