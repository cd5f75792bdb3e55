#include "kfp/local/detail/resolve.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "kfp/ir/condition.h"
#include "kfp/ir/detail/checks.h"
#include "kfp/local/detail/constant.h"
#include "kfp/local/detail/parameters.h"

namespace kfp::local {
using nlohmann::json;
namespace {

const ir::ComponentInputs& inputs_of(const ir::ComponentSpec& component) {
  static const ir::ComponentInputs kNone;
  return component.input_definitions ? *component.input_definitions : kNone;
}

const Node* sibling(const Node& node, const std::string& key) {
  const auto found = node.parent->by_key.find(key);
  return found == node.parent->by_key.end() ? nullptr : found->second;
}

// The final status in the backend's format: with the names of the states in its metadata store.
json final_status(const Node& node, const ir::TaskFinalStatus& status, const RunNames& run) {
  std::string name = status.producer_task.value_or("");
  if (name.empty() && !node.task->dependent_tasks.empty()) name = node.task->dependent_tasks.front();
  const Node* producer = sibling(node, name);
  if (producer == nullptr)
    throw core::InputError(
        {.message = "the final status of task " + name + " is needed, but it is not in this pipeline"});
  std::string state = to_string(producer->record.state);
  if (producer->record.state == State::kSucceeded) state = "COMPLETE";
  return {{"state", state},
          {"error", json::object()},
          {"pipelineJobResourceName", run.id},
          {"pipelineTaskName", producer->key}};
}

// The value of a placeholder for the run, in the task of `node`.
std::optional<std::string> run_property(const ir::Placeholder& placeholder, const Node& node,
                                        const RunNames& run) {
  if (placeholder.kind == ir::Placeholder::Kind::kWorkspacePath) return run.workspace;
  const std::string& name = placeholder.name;
  if (name == "pipeline_job_name") return run.name;
  if (name == "pipeline_job_resource_name" || name == "pipeline_job_uuid") return run.id;
  if (name == "pipeline_task_name") return node.key;
  if (name == "pipeline_task_uuid") return run.id + "/" + node.record.path;
  if (name == "pipeline_job_create_time_utc" || name == "pipeline_job_schedule_time_utc") return run.created;
  return std::nullopt;
}

std::optional<std::string> artifact_location(const ir::Placeholder& placeholder, const Values& inputs) {
  const auto found = inputs.artifacts.find(placeholder.name);
  if (found == inputs.artifacts.end() || found->second.empty()) return std::nullopt;
  const Artifact& artifact = found->second.front();
  if (placeholder.access == ".uri") return artifact.uri;
  if (placeholder.access != ".path") return std::nullopt;
  const auto path = local_path(artifact.uri);
  return path ? std::optional(path->string()) : std::nullopt;
}

// Null if there is no value.
json of_parent(const Node& node, const std::string& name) {
  const auto found = node.parent->inputs.parameters.find(name);
  return found == node.parent->inputs.parameters.end() ? json() : found->second;
}

// The constant of a source; null if it has none.
json constant_of(const ir::TaskInputParameter& source) {
  if (!source.runtime_value) return nullptr;
  const ir::ValueOrRuntimeParameter& value = *source.runtime_value;
  if (value.constant) return *value.constant;
  if (!value.constant_value) return nullptr;
  if (value.constant_value->int_value) return *value.constant_value->int_value;
  if (value.constant_value->double_value) return *value.constant_value->double_value;
  if (value.constant_value->string_value) return *value.constant_value->string_value;
  return nullptr;
}

// A value from another task, the enclosing pipeline or the run.
json from_elsewhere(const Node& node, const ir::TaskInputParameter& source, const RunNames& run) {
  if (source.component_input_parameter) return of_parent(node, *source.component_input_parameter);
  if (source.task_output_parameter) {
    const Node* producer = sibling(node, source.task_output_parameter->producer_task.value_or(""));
    if (producer == nullptr) return nullptr;
    const auto found =
        producer->outputs.parameters.find(source.task_output_parameter->output_parameter_key.value_or(""));
    return found == producer->outputs.parameters.end() ? json() : found->second;
  }
  if (source.task_final_status) return final_status(node, *source.task_final_status, run);
  if (source.runtime_value && source.runtime_value->runtime_parameter)
    return of_parent(node, *source.runtime_value->runtime_parameter);
  return nullptr;
}

// The values of a task's input parameters, each computed once. Constants may name other inputs of the task.
class Parameters {
 public:
  Parameters(const Node& node, const RunNames& run, const Warn& warn)
      : node_(node), run_(run), warn_(warn), declared_(inputs_of(*node.component).parameters) {}

  /// Sets a known value: for an iteration, the inputs of its loop.
  void know(const std::string& name, const json& value) { known_[name] = value; }

  /// Null if there is none.
  json of(const std::string& name) {
    if (const auto found = known_.find(name); found != known_.end()) return found->second;
    if (!open_.insert(name).second)
      throw core::InputError({.message = fmt::format("input {} refers to itself", name)});
    const ir::TaskInputParameter* source = given(name);
    json value = source == nullptr ? default_of(name) : from_source(name, *source);
    open_.erase(name);
    return known_[name] = std::move(value);
  }

  json resolved(const std::string& what, const json& constant) {
    const auto where = [&] { return fmt::format("input {}", what); };
    const ConstantScope scope{
        .parameter = [this](const std::string& name) -> std::optional<json> {
          if (!known_.contains(name) && given(name) == nullptr && !declared_.contains(name))
            return std::nullopt;
          json value = of(name);
          return value.is_null() ? default_of(name) : value;
        },
        .artifact =
            [this](const ir::Placeholder& placeholder) {
              return artifact_location(placeholder, node_.inputs);
            },
        .run = [this](const ir::Placeholder& placeholder) { return run_property(placeholder, node_, run_); },
        .warn =
            [&](const std::string& message) {
              warn_(fmt::format("{}: {}: {}", node_.record.path, where(), message));
            }};
    try {
      return resolve_constant(constant, scope);
    } catch (const core::InputError& error) {
      throw core::InputError(
          {.message = fmt::format("{}: {}", where(), error.details().message), .hint = error.details().hint});
    }
  }

 private:
  const ir::TaskInputParameter* given(const std::string& name) const {
    if (!node_.task->inputs) return nullptr;
    const auto found = node_.task->inputs->parameters.find(name);
    return found == node_.task->inputs->parameters.end() ? nullptr : &found->second;
  }

  json default_of(const std::string& name) {
    const auto spec = declared_.find(name);
    if (spec == declared_.end() || !spec->second.default_value) return nullptr;
    return resolved(name, *spec->second.default_value);
  }

  json from_source(const std::string& name, const ir::TaskInputParameter& source) {
    json value = constant_of(source);
    value = value.is_null() ? from_elsewhere(node_, source, run_) : resolved(name, value);
    if (!value.is_null() && source.parameter_expression_selector &&
        !source.parameter_expression_selector->empty())
      value = ir::select(*source.parameter_expression_selector, value);
    return value;
  }

  const Node& node_;
  const RunNames& run_;
  const Warn& warn_;
  const std::map<std::string, ir::InputParameterSpec>& declared_;
  std::map<std::string, json> known_;
  std::set<std::string> open_;
};

std::string source_text(const ir::TaskInputParameter& source) {
  if (source.task_output_parameter)
    return fmt::format("task {} did not produce {}",
                       source.task_output_parameter->producer_task.value_or("?"),
                       source.task_output_parameter->output_parameter_key.value_or("?"));
  if (source.component_input_parameter)
    return fmt::format("{} was not passed to the enclosing pipeline", *source.component_input_parameter);
  return "it has no source";
}

void check_literals(const std::string& name, const json& value, const ir::InputParameterSpec& spec) {
  if (!spec.literals.empty() &&
      std::find(spec.literals.begin(), spec.literals.end(), value) == spec.literals.end())
    throw core::InputError(
        {.message = fmt::format("input {} is {}, which is not allowed", name, value.dump())});
}

ir::ParameterType type_of(const ir::InputParameterSpec& spec) {
  return spec.parameter_type.value_or(ir::ParameterType::kUnspecified);
}

// True for constants of a loop with a placeholder for the item: each iteration resolves them.
bool names_item(const Node& node, const ir::TaskInputParameter& source) {
  return node.is_loop() &&
         mentions_parameter(constant_of(source), node.task->parameter_iterator->item_input.value_or(""));
}

void resolve_parameters(Node& node, const RunNames& run, const Warn& warn) {
  static const std::map<std::string, ir::TaskInputParameter> kNone;
  const auto& given = node.task->inputs ? node.task->inputs->parameters : kNone;
  const ir::ComponentInputs& declared = inputs_of(*node.component);
  Parameters parameters(node, run, warn);
  for (const auto& [name, source] : given) {
    if (names_item(node, source)) {
      node.item_constants.insert(name);
      continue;
    }
    json value = parameters.of(name);
    const auto spec = declared.parameters.find(name);
    if (spec == declared.parameters.end()) {
      node.inputs.parameters[name] = value;
      continue;
    }
    if (value.is_null()) {
      if (spec->second.is_optional.value_or(false) || spec->second.default_value) continue;
      throw core::InputError(
          {.message = fmt::format("input {} has no value: {}", name, source_text(source))});
    }
    check_literals(name, value, spec->second);
    node.inputs.parameters[name] = std::move(value);
  }
  const bool is_dag = node.component->dag.has_value();
  for (const auto& [name, spec] : declared.parameters) {
    // Only iterations have this input.
    if (node.is_loop() && node.task->parameter_iterator->item_input == name) continue;
    if (node.item_constants.contains(name)) continue;
    auto& values = node.inputs.parameters;
    if (!values.contains(name)) {
      if (spec.default_value && !spec.default_value->is_null()) {
        values[name] = parameters.resolved(name, *spec.default_value);
        // A default of another type goes into the command unchanged, as on the cluster.
        if (!is_dag && !ir::checks::fits(values[name], type_of(spec))) continue;
      } else if (spec.parameter_type == ir::ParameterType::kTaskConfig)
        values[name] = json::object();
      else if (!spec.is_optional.value_or(false) && !spec.default_value)
        throw core::InputError({.message = fmt::format("input {} has no value: it has no source", name)});
      else if (is_dag)
        values[name] = nullptr;
      else
        continue;
    }
    json& value = values[name];
    if (!value.is_null() && !(node.is_loop() && node.task->parameter_iterator->items &&
                              node.task->parameter_iterator->items->input_parameter == name))
      value = convert_parameter(value, type_of(spec), "input " + name);
  }
}

void resolve_artifacts(Node& node) {
  if (!node.task->inputs) return;
  const ir::ComponentInputs& declared = inputs_of(*node.component);
  for (const auto& [name, source] : node.task->inputs->artifacts) {
    const std::map<std::string, std::vector<Artifact>>* from = nullptr;
    std::string key;
    if (source.component_input_artifact) {
      from = &node.parent->inputs.artifacts;
      key = *source.component_input_artifact;
    } else if (source.task_output_artifact) {
      if (const Node* producer = sibling(node, source.task_output_artifact->producer_task.value_or("")))
        from = &producer->outputs.artifacts;
      key = source.task_output_artifact->output_artifact_key.value_or("");
    }
    if (from != nullptr)
      if (const auto found = from->find(key); found != from->end()) {
        node.inputs.artifacts[name] = found->second;
        continue;
      }
    const auto spec = declared.artifacts.find(name);
    if (spec != declared.artifacts.end() && spec->second.is_optional.value_or(false)) continue;
    throw core::InputError(
        {.message =
             fmt::format("input {} has no artifact: {}", name,
                         source.task_output_artifact
                             ? fmt::format("task {} did not produce {}",
                                           source.task_output_artifact->producer_task.value_or("?"), key)
                             : key + " was not passed to the enclosing pipeline")});
  }
}

const Node* child(const Node& dag, const std::optional<std::string>& key) {
  const auto found = dag.by_key.find(key.value_or(""));
  return found == dag.by_key.end() ? nullptr : found->second;
}

}  // namespace

void resolve_inputs(Node& node, const RunNames& run, const Warn& warn) {
  node.inputs = {};
  node.item_constants.clear();
  resolve_artifacts(node);
  resolve_parameters(node, run, warn);
  node.record.inputs = node.inputs.parameters;
}

std::vector<json> loop_items(const Node& loop, const RunNames& run, const Warn& warn) {
  const ir::ParameterIterator& iterator = *loop.task->parameter_iterator;
  json list;
  if (iterator.items && iterator.items->raw) {
    list = json::parse(*iterator.items->raw, nullptr, false);
    Parameters parameters(loop, run, warn);
    for (const auto& [name, value] : loop.inputs.parameters) parameters.know(name, value);
    if (list.is_array()) list = parameters.resolved("items", list);
  } else if (iterator.items && iterator.items->input_parameter) {
    const auto found = loop.inputs.parameters.find(*iterator.items->input_parameter);
    if (found != loop.inputs.parameters.end()) list = found->second;
    if (list.is_string()) list = json::parse(list.get_ref<const std::string&>(), nullptr, false);
  }
  if (!list.is_array()) throw core::InputError({.message = "the items of the loop must be a list"});
  return list.get<std::vector<json>>();
}

void resolve_iteration(Node& node, const json& item, const RunNames& run, const Warn& warn) {
  const Node& loop = *node.parent;
  const ir::ParameterIterator& iterator = *loop.task->parameter_iterator;
  node.inputs = loop.inputs;
  auto& values = node.inputs.parameters;
  const std::string& name = iterator.item_input.value_or("");
  if (iterator.items && iterator.items->input_parameter) values.erase(*iterator.items->input_parameter);
  const auto& declared = inputs_of(*loop.component).parameters;
  const auto convert = [&](const std::string& parameter, const json& value, const std::string& what) {
    const auto spec = declared.find(parameter);
    if (spec == declared.end() || value.is_null()) return value;
    return convert_parameter(value, type_of(spec->second), what);
  };
  values[name] = convert(name, item, "item of the loop");
  Parameters parameters(node, run, warn);
  for (const auto& [known, value] : values) parameters.know(known, value);
  for (const std::string& constant : loop.item_constants) {
    json value = parameters.of(constant);
    if (const auto spec = declared.find(constant); spec != declared.end())
      check_literals(constant, value, spec->second);
    values[constant] = convert(constant, value, "input " + constant);
  }
  node.record.inputs = values;
}

void resolve_outputs(Node& dag) {
  if (!dag.component->dag || !dag.component->dag->outputs) return;
  const ir::DagOutputs& outputs = *dag.component->dag->outputs;
  const auto take = [&](const std::string& name, const ir::ParameterSelector& selector) {
    const Node* producer = child(dag, selector.producer_subtask);
    if (producer == nullptr) return false;
    const auto& key = selector.output_parameter_key.value_or("");
    const auto found = producer->outputs.parameters.find(key);
    if (found == producer->outputs.parameters.end()) return false;
    dag.outputs.parameters[name] = found->second;
    if (producer->collected.contains(key)) dag.collected.insert(name);
    return true;
  };
  for (const auto& [name, source] : outputs.parameters) {
    if (source.value_from_parameter) take(name, *source.value_from_parameter);
    if (!source.value_from_oneof) continue;
    for (const ir::ParameterSelector& selector : source.value_from_oneof->parameter_selectors) {
      const Node* producer = child(dag, selector.producer_subtask);
      if (producer != nullptr && producer->succeeded() && take(name, selector)) break;
    }
  }
  for (const auto& [name, source] : outputs.artifacts)
    for (const ir::ArtifactSelector& selector : source.artifact_selectors) {
      const Node* producer = child(dag, selector.producer_subtask);
      if (producer == nullptr || (source.artifact_selectors.size() > 1 && !producer->succeeded())) continue;
      const auto found = producer->outputs.artifacts.find(selector.output_artifact_key.value_or(""));
      if (found == producer->outputs.artifacts.end()) continue;
      dag.outputs.artifacts[name] = found->second;
      break;
    }
  dag.record.outputs = dag.outputs.parameters;
}

void collect_iterations(Node& loop) {
  if (!loop.component->output_definitions) return;
  for (const auto& [name, spec] : loop.component->output_definitions->parameters) {
    json list = json::array();
    for (const auto& iteration : loop.children) {
      const auto found = iteration->outputs.parameters.find(name);
      if (found == iteration->outputs.parameters.end()) continue;
      if (iteration->collected.contains(name))
        list.insert(list.end(), found->second.begin(), found->second.end());
      else
        list.push_back(found->second);
    }
    loop.outputs.parameters[name] = std::move(list);
    loop.collected.insert(name);
  }
  for (const auto& [name, spec] : loop.component->output_definitions->artifacts) {
    std::vector<Artifact>& list = loop.outputs.artifacts[name];
    for (const auto& iteration : loop.children)
      if (const auto found = iteration->outputs.artifacts.find(name);
          found != iteration->outputs.artifacts.end())
        list.insert(list.end(), found->second.begin(), found->second.end());
  }
  loop.record.outputs = loop.outputs.parameters;
}

}  // namespace kfp::local
