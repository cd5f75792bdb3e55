#include "pipeline/train_job.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <regex>

#include "core/error.h"
#include "kfp/compile/argo/argo.h"
#include "kfp/component/arguments.h"
#include "kfp/component/command_line.h"
#include "kfp/site/site.h"
#include "pipeline/pipelines.h"

namespace pipeline {
namespace {

using nlohmann::json;

constexpr const char* kApi = "trainer.kubeflow.org/v1alpha1";
// Names that Trainer knows: its pods, and the container in them.
constexpr const char* kNode = "node";
constexpr const char* kStepLabel = "trainer.kubeflow.org/trainjob-ancestor-step";

void check(const kfp::Registry& registry, const TrainJobOptions& options) {
  static const std::regex kName("[a-z]([-a-z0-9]{0,38}[a-z0-9])?");
  if (!std::regex_match(options.name, kName))
    throw core::UsageError(
        {.message = fmt::format("\"{}\" is not a name for Kubernetes: a letter, then at most 39 "
                                "lower-case letters, digits and \"-\"",
                                options.name),
         .field = "--name"});
  if (options.nodes < 1) throw core::UsageError({.message = "must be at least 1", .field = "--nodes"});
  if (options.processes < 1)
    throw core::UsageError({.message = "must be at least 1", .field = "--processes"});
  // The arguments are checked as `calopipe train` checks them.
  const auto train = registry.create("train");
  CLI::App app("train");
  kfp::CommandLine line(app, *train);
  kfp::check_arguments(app, options.arguments, "calopipe train");
  try {
    std::vector<std::string> words(options.arguments.rbegin(), options.arguments.rend());
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    throw core::UsageError({.message = error.what(), .field = "train"});
  }
  line.apply(false);
}

// What Argo has no field for, it gets as a text that changes the pod.
void patch(json& pod, const std::string& text, const std::filesystem::path& site) {
  const json changes = json::parse(text, nullptr, false);
  if (changes.is_discarded() || text.find("{{") != std::string::npos)
    throw core::InputError(
        {.message = "has settings for train that depend on a run of a pipeline", .file = site});
  for (const auto& [name, value] : changes.items()) {
    if (name == "containers")
      pod["containers"][0].merge_patch(value.at(0));
    else
      pod[name] = value;
  }
  pod["containers"][0]["name"] = kNode;
}

template <class Condition>
void drop(json& list, const Condition& condition) {
  if (!list.is_array()) return;
  list.erase(std::remove_if(list.begin(), list.end(), condition), list.end());
}

bool is_of_artifacts(const json& volume) {
  return volume.value("name", "").starts_with("kfp-");
}

// The pod of a site for `train`. The compiler for Argo knows what a site's settings mean for a pod.
json pod_of_site(const TrainJobOptions& options, const kfp::Registry& registry, json& metadata) {
  kfp::ir::Pipeline pipeline;
  pipeline.spec.schema_version = "2.1.0";
  pipeline.spec.pipeline_info = kfp::ir::PipelineInfo{.name = options.name};
  kfp::ir::ComponentSpec component;
  component.executor_label = "exec-train";
  pipeline.spec.components["comp-train"] = component;
  kfp::ir::Executor executor;
  executor.container = kfp::ir::Container{
      .image = default_image(), .command = {"calopipe", "train"}, .args = options.arguments};
  pipeline.spec.deployment_spec = kfp::ir::DeploymentConfig{};
  pipeline.spec.deployment_spec->executors["exec-train"] = executor;
  kfp::ir::Task task;
  task.component_ref = kfp::ir::ComponentRef{.name = "comp-train"};
  kfp::ir::ComponentSpec root;
  root.dag = kfp::ir::Dag{};
  root.dag->tasks["train"] = task;
  pipeline.spec.root = root;

  std::vector<std::string> components;
  for (const auto& [name, factory] : registry.all()) components.push_back(name);
  kfp::Site site;
  if (!options.site.empty()) site = kfp::Site::read(options.site, components);
  if (!options.image.empty()) site.set_image(options.image);
  site.apply(pipeline, default_image());
  kfp::argo::ArgoOptions argo = kfp::argo::options_from_json(site.argo(), options.site);
  argo.volume.reset();  // of artifacts, which this training has not
  argo.s3.reset();
  if (argo.kerberos) argo.kerberos->renew_image.clear();  // Trainer's pods end with their first container
  json workflow = kfp::argo::compile(pipeline, argo);
  for (json& one : workflow["spec"]["templates"]) {
    if (one["name"] != "train") continue;
    json container = std::move(one["container"]);
    drop(container["env"], [](const json& variable) {  // of Argo: number of the attempt
      return variable.value("value", "").find("{{") != std::string::npos;
    });
    drop(container["volumeMounts"], is_of_artifacts);
    drop(one["volumes"], is_of_artifacts);
    container["name"] = kNode;
    if (one.contains("metadata")) metadata = one["metadata"];
    json pod = {{"restartPolicy", "Never"}, {"containers", json::array({container})}};
    if (one.contains("podSpecPatch")) patch(pod, one["podSpecPatch"].get<std::string>(), options.site);
    for (const char* name : {"volumes", "initContainers", "nodeSelector", "tolerations", "affinity",
                             "securityContext", "serviceAccountName", "hostAliases"})
      if (one.contains(name)) pod[name] = one[name];
    for (const char* name : {"imagePullSecrets", "serviceAccountName", "securityContext"})
      if (workflow["spec"].contains(name) && !pod.contains(name)) pod[name] = workflow["spec"][name];
    return pod;
  }
  throw core::InputError({.message = "has no task train", .file = options.site});
}

}  // namespace

std::vector<json> train_job_objects(const kfp::Registry& registry, const TrainJobOptions& options) {
  check(registry, options);
  json metadata = json::object();
  const json pod = pod_of_site(options, registry, metadata);
  json labels = {{kStepLabel, "trainer"}};
  json pod_template = {{"spec", pod}};
  if (!metadata.empty()) pod_template["metadata"] = metadata;
  const json replicated = {
      {"name", kNode},
      {"template",
       {{"metadata", {{"labels", labels}}}, {"spec", {{"backoffLimit", 0}, {"template", pod_template}}}}}};
  const json runtime = {
      {"apiVersion", kApi},
      {"kind", "TrainingRuntime"},
      {"metadata", {{"name", options.name}}},
      {"spec",
       {{"mlPolicy", {{"numNodes", options.nodes}, {"torch", {{"numProcPerNode", options.processes}}}}},
        {"template", {{"spec", {{"replicatedJobs", {replicated}}}}}}}}};
  const json job = {
      {"apiVersion", kApi},
      {"kind", "TrainJob"},
      {"metadata", {{"name", options.name}}},
      {"spec",
       {{"runtimeRef",
         {{"apiGroup", "trainer.kubeflow.org"}, {"kind", "TrainingRuntime"}, {"name", options.name}}},
        {"trainer", {{"numNodes", options.nodes}, {"numProcPerNode", options.processes}}}}}};
  return {runtime, job};
}

}  // namespace pipeline
