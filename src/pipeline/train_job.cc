#include "pipeline/train_job.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <regex>

#include "core/error.h"
#include "kfp/component/arguments.h"
#include "kfp/component/command_line.h"
#include "pipeline/site_pod.h"

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

}  // namespace

std::vector<json> train_job_objects(const kfp::Registry& registry, const TrainJobOptions& options) {
  check(registry, options);
  const SitePod made = site_pod(registry, {.component = "train",
                                           .container = kNode,
                                           .command = {"calopipe", "train"},
                                           .arguments = options.arguments,
                                           .image = options.image,
                                           .site = options.site});
  json labels = {{kStepLabel, "trainer"}};
  json pod_template = {{"spec", made.spec}};
  if (!made.metadata.empty()) pod_template["metadata"] = made.metadata;
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
