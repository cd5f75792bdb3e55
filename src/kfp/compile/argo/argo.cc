#include "kfp/compile/argo/argo.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "kfp/compile/argo/detail/dag.h"
#include "kfp/ir/detail/checks.h"
#include "kfp/ir/validate.h"
#include "kfp/yaml/yaml.h"

namespace kfp::argo {

using ir::ParameterType;
using nlohmann::json;

bool Template::has_input(const std::string& input_name) const {
  return std::any_of(inputs.begin(), inputs.end(),
                     [&](const json& known) { return known["name"] == input_name; });
}

std::string Templates::keep(const std::string& wanted, json body) {
  const std::string& name = names_.of(fmt::format("{}", bodies_.size()), wanted);
  body["name"] = name;
  bodies_.push_back(std::move(body));
  return name;
}

json Templates::take() {
  json all = json::array();
  // Inner templates were made first.
  for (auto body = bodies_.rbegin(); body != bodies_.rend(); ++body) all.push_back(std::move(*body));
  return all;
}

const Template& Templates::of(const std::string& name, const ir::ComponentSpec& component, const Use& use,
                              const Place& place) {
  const std::string key = name + use.key();
  if (const auto found = made_.find(key); found != made_.end()) return found->second;
  Template made = make(name.starts_with("comp-") ? name.substr(5) : name, component, use, place);
  return made_[key] = std::move(made);
}

Template Templates::make(const std::string& name, const ir::ComponentSpec& component, const Use& use,
                         const Place& place) {
  if (component.dag) return dag_template(*this, name, component, use, false);
  ContainerTemplate container = container_template(pipeline_, component, options_, use, place);
  Template result{.leaf = true, .settings = std::move(container.settings)};
  if (container.json.contains("inputs") && container.json["inputs"].contains("parameters"))
    result.inputs = container.json["inputs"]["parameters"];
  if (!container.reads_executor_output) {
    result.name = keep(name, std::move(container.json));
    return result;
  }
  // A DAG with the container extracts the outputs from its executor output.
  json task = {{"name", "run"}, {"template", keep(name + "-run", std::move(container.json))}};
  for (const json& input_parameter : result.inputs) {
    const auto input_name = input_parameter["name"].get<std::string>();
    task["arguments"]["parameters"].push_back({{"name", input_name}, {"value", input(input_name).text}});
  }
  json body = {{"dag", {{"tasks", {task}}}}};
  if (!result.inputs.empty()) body["inputs"]["parameters"] = result.inputs;
  Interface names(component);
  for (const auto& [key, definition] : ir::checks::outputs_of(component).parameters) {
    const std::string& output_name = names.output_parameter(key);
    const auto type = definition.parameter_type.value_or(ParameterType::kUnspecified);
    body["outputs"]["parameters"].push_back(
        {{"name", output_name},
         {"valueFrom", {{"expression", executor_output_expression("run", key, output_name, type)}}}});
  }
  result.name = keep(name, std::move(body));
  return result;
}

namespace {

// A name that Kubernetes accepts.
std::string resource_name(const std::string& text) {
  std::string name;
  for (const char c : text) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool allowed = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
    if (allowed || (!name.empty() && !name.ends_with('-'))) name += allowed ? lower : '-';
  }
  while (name.ends_with('-')) name.pop_back();
  return name.empty() ? "pipeline" : name.substr(0, 50);
}

void add_pipeline_config(json& workflow, const ir::Pipeline& pipeline) {
  if (!pipeline.platform || !pipeline.platform->platforms || !pipeline.platform->platforms->kubernetes)
    return;
  const auto& config = pipeline.platform->platforms->kubernetes->pipeline_config;
  if (!config) return;
  json& spec = workflow["spec"];
  if (config->active_deadline_seconds) spec["activeDeadlineSeconds"] = *config->active_deadline_seconds;
  if (config->resource_ttl_on_completion)
    spec["ttlStrategy"]["secondsAfterCompletion"] = *config->resource_ttl_on_completion;
  if (config->resource_ttl_on_success)
    spec["ttlStrategy"]["secondsAfterSuccess"] = *config->resource_ttl_on_success;
  if (config->resource_ttl_on_failure)
    spec["ttlStrategy"]["secondsAfterFailure"] = *config->resource_ttl_on_failure;
  if (!config->workspace) return;
  json claim = {{"accessModes", {"ReadWriteMany"}}};
  claim["resources"]["requests"]["storage"] = config->workspace->size.value_or("");
  if (config->workspace->kubernetes && config->workspace->kubernetes->pvc_spec_patch)
    claim.merge_patch(config->workspace->kubernetes->pvc_spec_patch->value);
  spec["volumeClaimTemplates"] = {{{"metadata", {{"name", "kfp-workspace"}}}, {"spec", claim}}};
}

// The arguments of the workflow, for the pipeline's inputs.
json arguments_of(const ir::ComponentSpec& root, const ArgoOptions& options, Use& use) {
  const ir::ComponentInputs& inputs = ir::checks::inputs_of(root);
  Interface names(root);
  json arguments = json::array();
  std::map<std::string, bool> known;
  for (const auto& [name, definition] : inputs.parameters) {
    known[name] = true;
    const auto type = definition.parameter_type.value_or(ParameterType::kUnspecified);
    json argument = {{"name", names.input_parameter(name)}};
    const auto given = options.parameters.find(name);
    if (given != options.parameters.end()) {
      if (!ir::checks::fits(given->second, type))
        throw core::InputError(
            {.message = fmt::format("{} is not of type {}", given->second.dump(), ir::to_string(type)),
             .field = "parameters." + name});
      argument["value"] = literal(parameter_text(given->second, type)).text;
    } else if (definition.default_value && !definition.default_value->is_null()) {
      argument["value"] = literal(parameter_text(*definition.default_value, type)).text;
    } else if (definition.is_optional.value_or(false) || definition.default_value) {
      use.absent_parameters.insert(name);
      continue;
    }
    arguments.push_back(std::move(argument));
  }
  for (const auto& [name, definition] : inputs.artifacts) {
    known[name] = true;
    json argument = {{"name", names.input_artifact(name)}};
    const auto given = options.parameters.find(name);
    if (given != options.parameters.end()) {
      if (!given->second.is_string())
        throw core::InputError(
            {.message = "must be a string: the path of the artifact", .field = "parameters." + name});
      argument["value"] = literal(given->second.get<std::string>()).text;
    } else if (definition.is_optional.value_or(false)) {
      use.absent_artifacts.insert(name);
      continue;
    }
    arguments.push_back(std::move(argument));
  }
  for (const auto& [name, value] : options.parameters)
    if (!known.contains(name))
      throw core::InputError({.message = fmt::format("the pipeline has no input \"{}\"", name),
                              .field = "parameters",
                              .hint = ir::checks::suggestion(name, known)});
  return arguments;
}

}  // namespace

json compile(const ir::Pipeline& pipeline, const ArgoOptions& options) {
  check_options(options);
  for (const ir::Problem& problem : ir::validate(pipeline))
    if (problem.severity == ir::Problem::Severity::kError)
      throw core::InputError({.message = problem.message, .field = problem.place, .hint = problem.hint});
  const std::string pipeline_name = pipeline.spec.pipeline_info->name.value_or("pipeline");
  json workflow = {{"apiVersion", "argoproj.io/v1alpha1"}, {"kind", "Workflow"}};
  json& metadata = workflow["metadata"];
  if (!options.name.empty())
    metadata["name"] = options.name;
  else
    metadata["generateName"] =
        options.generate_name.empty() ? resource_name(pipeline_name) + "-" : options.generate_name;
  if (!options.name_space.empty()) metadata["namespace"] = options.name_space;

  Use use;
  const ir::ComponentSpec& root = *pipeline.spec.root;
  const json arguments = arguments_of(root, options, use);
  Templates templates(pipeline, options);
  json& spec = workflow["spec"];
  spec["entrypoint"] = dag_template(templates, resource_name(pipeline_name), root, use, true).name;
  spec["templates"] = templates.take();
  if (!arguments.empty()) spec["arguments"]["parameters"] = arguments;
  if (!options.service_account.empty()) spec["serviceAccountName"] = options.service_account;
  for (const std::string& secret : options.image_pull_secrets)
    spec["imagePullSecrets"].push_back({{"name", secret}});
  if (!options.pod_labels.empty()) spec["podMetadata"]["labels"] = options.pod_labels;
  if (!options.pod_annotations.empty()) spec["podMetadata"]["annotations"] = options.pod_annotations;
  add_pipeline_config(workflow, pipeline);
  return workflow;
}

std::string to_yaml(const ir::Pipeline& pipeline, const ArgoOptions& options) {
  return kfp::to_yaml(compile(pipeline, options));
}

}  // namespace kfp::argo
