#include "kfp/local/resolve.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "kfp/ir/condition.h"
#include "kfp/ir/placeholder.h"
#include "kfp/local/parameters.h"

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

// As the backend gives it: names of the states of its metadata store.
json final_status(const Node& node, const ir::TaskFinalStatus& status, const RunNames& run) {
  std::string name = status.producer_task.value_or("");
  if (name.empty() && !node.task->dependent_tasks.empty()) name = node.task->dependent_tasks.front();
  const Node* producer = sibling(node, name);
  if (producer == nullptr)
    throw core::InputError(
        {.message = "the final status of task " + name + " is asked for, which is not here"});
  std::string state = to_string(producer->record.state);
  if (producer->record.state == State::kSucceeded) state = "COMPLETE";
  return {{"state", state},
          {"error", json::object()},
          {"pipelineJobResourceName", run.id},
          {"pipelineTaskName", producer->key}};
}

json constant(const json& value, const Node& node, const RunNames& run) {
  if (!value.is_string()) return value;
  std::string text = value.get<std::string>();
  constexpr std::string_view kWorkspace = "{{$.workspace_path}}";
  bool changed = false;
  for (std::size_t at = text.find(kWorkspace); at != std::string::npos;
       at = text.find(kWorkspace, at + run.workspace.size())) {
    text.replace(at, kWorkspace.size(), run.workspace);
    changed = true;
  }
  if (changed) return text;
  // Only as a whole, as in the backend.
  if (text == "{{$.pipeline_job_name}}") return run.name;
  if (text == "{{$.pipeline_job_resource_name}}" || text == "{{$.pipeline_job_uuid}}") return run.id;
  if (text == "{{$.pipeline_task_name}}") return node.key;
  if (text == "{{$.pipeline_task_uuid}}") return run.id + "/" + node.record.path;
  if (text == "{{$.pipeline_job_create_time_utc}}" || text == "{{$.pipeline_job_schedule_time_utc}}")
    return run.created;
  return value;
}

// Null where there is no value.
json of_parent(const Node& node, const std::string& name) {
  const auto found = node.parent->inputs.parameters.find(name);
  return found == node.parent->inputs.parameters.end() ? json() : found->second;
}

json parameter(const Node& node, const ir::TaskInputParameter& source, const RunNames& run) {
  if (source.component_input_parameter) return of_parent(node, *source.component_input_parameter);
  if (source.task_output_parameter) {
    const Node* producer = sibling(node, source.task_output_parameter->producer_task.value_or(""));
    if (producer == nullptr) return nullptr;
    const auto found =
        producer->outputs.parameters.find(source.task_output_parameter->output_parameter_key.value_or(""));
    return found == producer->outputs.parameters.end() ? json() : found->second;
  }
  if (source.task_final_status) return final_status(node, *source.task_final_status, run);
  if (!source.runtime_value) return nullptr;
  const ir::ValueOrRuntimeParameter& value = *source.runtime_value;
  if (value.constant) return constant(*value.constant, node, run);
  if (value.runtime_parameter) return of_parent(node, *value.runtime_parameter);
  if (!value.constant_value) return nullptr;
  if (value.constant_value->int_value) return *value.constant_value->int_value;
  if (value.constant_value->double_value) return *value.constant_value->double_value;
  if (value.constant_value->string_value) return constant(*value.constant_value->string_value, node, run);
  return nullptr;
}

std::string source_text(const ir::TaskInputParameter& source) {
  if (source.task_output_parameter)
    return fmt::format("task {} gave no {}", source.task_output_parameter->producer_task.value_or("?"),
                       source.task_output_parameter->output_parameter_key.value_or("?"));
  if (source.component_input_parameter)
    return fmt::format("{} was not given to the pipeline around it", *source.component_input_parameter);
  return "nothing gives it";
}

void resolve_parameters(Node& node, const RunNames& run) {
  static const std::map<std::string, ir::TaskInputParameter> kNone;
  const auto& given = node.task->inputs ? node.task->inputs->parameters : kNone;
  const ir::ComponentInputs& declared = inputs_of(*node.component);
  for (const auto& [name, source] : given) {
    json value = parameter(node, source, run);
    if (!value.is_null() && source.parameter_expression_selector &&
        !source.parameter_expression_selector->empty())
      value = ir::select(*source.parameter_expression_selector, value);
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
    if (!spec->second.literals.empty() &&
        std::find(spec->second.literals.begin(), spec->second.literals.end(), value) ==
            spec->second.literals.end())
      throw core::InputError(
          {.message = fmt::format("input {} is {}, which is not allowed", name, value.dump())});
    node.inputs.parameters[name] = std::move(value);
  }
  const bool is_dag = node.component->dag.has_value();
  for (const auto& [name, spec] : declared.parameters) {
    // Only iterations have it.
    if (node.is_loop() && node.task->parameter_iterator->item_input == name) continue;
    auto& values = node.inputs.parameters;
    if (!values.contains(name)) {
      if (spec.default_value && !spec.default_value->is_null())
        values[name] = *spec.default_value;
      else if (spec.parameter_type == ir::ParameterType::kTaskConfig)
        values[name] = json::object();
      else if (!spec.is_optional.value_or(false) && !spec.default_value)
        throw core::InputError({.message = fmt::format("input {} has no value: nothing gives it", name)});
      else if (is_dag)
        values[name] = nullptr;
      else
        continue;
    }
    json& value = values[name];
    if (!value.is_null() && !(node.is_loop() && node.task->parameter_iterator->items &&
                              node.task->parameter_iterator->items->input_parameter == name))
      value = convert_parameter(value, spec.parameter_type.value_or(ir::ParameterType::kUnspecified),
                                "input " + name);
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
                             ? fmt::format("task {} gave no {}",
                                           source.task_output_artifact->producer_task.value_or("?"), key)
                             : key + " was not given to the pipeline around it")});
  }
}

const Node* child(const Node& dag, const std::optional<std::string>& key) {
  const auto found = dag.by_key.find(key.value_or(""));
  return found == dag.by_key.end() ? nullptr : found->second;
}

}  // namespace

void resolve_inputs(Node& node, const RunNames& run) {
  node.inputs = {};
  resolve_parameters(node, run);
  resolve_artifacts(node);
  node.record.inputs = node.inputs.parameters;
}

std::vector<json> loop_items(const Node& loop) {
  const ir::ParameterIterator& iterator = *loop.task->parameter_iterator;
  json list;
  if (iterator.items && iterator.items->raw) {
    list = json::parse(*iterator.items->raw, nullptr, false);
  } else if (iterator.items && iterator.items->input_parameter) {
    const auto found = loop.inputs.parameters.find(*iterator.items->input_parameter);
    if (found != loop.inputs.parameters.end()) list = found->second;
    if (list.is_string()) list = json::parse(list.get_ref<const std::string&>(), nullptr, false);
  }
  if (!list.is_array()) throw core::InputError({.message = "the items of the loop are no list"});
  return list.get<std::vector<json>>();
}

Values iteration_inputs(const Node& loop, const json& item) {
  const ir::ParameterIterator& iterator = *loop.task->parameter_iterator;
  Values inputs = loop.inputs;
  const std::string& name = iterator.item_input.value_or("");
  if (iterator.items && iterator.items->input_parameter)
    inputs.parameters.erase(*iterator.items->input_parameter);
  const auto& declared = inputs_of(*loop.component).parameters;
  const auto spec = declared.find(name);
  const ir::ParameterType type = spec == declared.end()
                                     ? ir::ParameterType::kUnspecified
                                     : spec->second.parameter_type.value_or(ir::ParameterType::kUnspecified);
  inputs.parameters[name] = item.is_null() ? item : convert_parameter(item, type, "item of the loop");
  return inputs;
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
