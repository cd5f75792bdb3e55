#include "kfp/ir/show.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "kfp/ir/document.h"
#include "kfp/ir/validate.h"
#include "kfp/ir/value_text.h"

namespace kfp::ir {
namespace {

using nlohmann::json;

constexpr int kDeepestShown = 60;

std::string artifact_text(const std::optional<ArtifactTypeSchema>& type, const std::optional<bool>& list) {
  std::string text = "artifact";
  if (type) text = type->schema_title.value_or(type->schema_uri.value_or("artifact"));
  return list.value_or(false) ? "list of " + text : text;
}

std::string type_text(const std::optional<ParameterType>& type) {
  return type ? to_string(*type) : "no type";
}

json signature(const ComponentSpec& component) {
  json inputs = json::object();
  if (component.input_definitions) {
    for (const auto& [name, input] : component.input_definitions->parameters) {
      json& entry = inputs[name];
      entry = {{"kind", "parameter"}, {"type", type_text(input.parameter_type)}};
      if (input.default_value)
        entry["default"] = input.parameter_type == ParameterType::kNumberDouble
                               ? *input.default_value
                               : whole_numbers(*input.default_value);
      if (input.is_optional.value_or(false)) entry["optional"] = true;
    }
    for (const auto& [name, input] : component.input_definitions->artifacts) {
      json& entry = inputs[name];
      entry = {{"kind", "artifact"}, {"type", artifact_text(input.artifact_type, input.is_artifact_list)}};
      if (input.is_optional.value_or(false)) entry["optional"] = true;
    }
  }
  json outputs = json::object();
  if (component.output_definitions) {
    for (const auto& [name, output] : component.output_definitions->parameters)
      outputs[name] = {{"kind", "parameter"}, {"type", type_text(output.parameter_type)}};
    for (const auto& [name, output] : component.output_definitions->artifacts)
      outputs[name] = {{"kind", "artifact"},
                       {"type", artifact_text(output.artifact_type, output.is_artifact_list)}};
  }
  return {{"inputs", inputs}, {"outputs", outputs}};
}

std::string from_task(const std::optional<std::string>& task, const std::optional<std::string>& key) {
  return fmt::format("task {} output {}", task.value_or("?"), key.value_or("?"));
}

json source_of(const TaskInputParameter& source) {
  json entry = json::object();
  if (source.task_output_parameter)
    entry["from"] = from_task(source.task_output_parameter->producer_task,
                              source.task_output_parameter->output_parameter_key);
  if (source.component_input_parameter) entry["from"] = "input " + *source.component_input_parameter;
  if (source.task_final_status)
    entry["from"] = "final status of " + source.task_final_status->producer_task.value_or("?");
  if (source.runtime_value) {
    if (source.runtime_value->constant) entry["value"] = whole_numbers(*source.runtime_value->constant);
    if (source.runtime_value->runtime_parameter)
      entry["from"] = "input " + *source.runtime_value->runtime_parameter;
  }
  if (source.parameter_expression_selector) entry["select"] = *source.parameter_expression_selector;
  return entry;
}

json source_of(const TaskInputArtifact& source) {
  if (source.task_output_artifact)
    return {{"from", from_task(source.task_output_artifact->producer_task,
                               source.task_output_artifact->output_artifact_key)}};
  return {{"from", "input " + source.component_input_artifact.value_or("?")}};
}

class GraphBuilder {
 public:
  explicit GraphBuilder(const Pipeline& pipeline) : spec_(pipeline.spec) {
    if (!pipeline.platform) return;
    const json platform = to_json(*pipeline.platform);
    const json::json_pointer executors("/platforms/kubernetes/deploymentSpec/executors");
    if (platform.contains(executors)) kubernetes_ = platform.at(executors);
  }

  json tasks_of(const Dag& dag, const std::string& path, int depth) {
    std::vector<std::string> order = topological_order(dag);
    const std::set<std::string> ordered(order.begin(), order.end());
    for (const auto& [name, task] : dag.tasks)
      if (!ordered.contains(name)) order.push_back(name);
    json tasks = json::array();
    for (const std::string& name : order)
      tasks.push_back(task_of(name, dag.tasks.at(name), path.empty() ? name : path + '/' + name, depth));
    return tasks;
  }

 private:
  json task_of(const std::string& name, const Task& task, const std::string& path, int depth) {
    json entry = {{"name", name}, {"after", upstream_of(task)}};
    if (task.task_info && task.task_info->name && *task.task_info->name != name)
      entry["display_name"] = *task.task_info->name;
    if (task.inputs) {
      json& inputs = entry["inputs"] = json::object();
      for (const auto& [input, source] : task.inputs->parameters) inputs[input] = source_of(source);
      for (const auto& [input, source] : task.inputs->artifacts) inputs[input] = source_of(source);
    }
    if (task.trigger_policy) {
      if (task.trigger_policy->condition) entry["condition"] = *task.trigger_policy->condition;
      if (task.trigger_policy->strategy == TriggerStrategy::kAllUpstreamTasksCompleted)
        entry["runs_after_failures"] = true;
    }
    if (task.parameter_iterator) {
      const ParameterItems items = task.parameter_iterator->items.value_or(ParameterItems{});
      entry["loop"] = {{"item", task.parameter_iterator->item_input.value_or("?")},
                       {"over", items.raw ? *items.raw : "input " + items.input_parameter.value_or("?")}};
    }
    if (task.artifact_iterator) {
      const ArtifactItems items = task.artifact_iterator->items.value_or(ArtifactItems{});
      entry["loop"] = {{"item", task.artifact_iterator->item_input.value_or("?")},
                       {"over", "artifacts of input " + items.input_artifact.value_or("?")}};
    }
    if (task.iterator_policy && entry.contains("loop"))
      entry["loop"]["parallelism"] = task.iterator_policy->parallelism_limit.value_or(0);
    if (task.retry_policy) entry["retries"] = task.retry_policy->max_retry_count.value_or(0);
    describe_component(task, path, depth, entry);
    return entry;
  }

  void describe_component(const Task& task, const std::string& path, int depth, json& entry) {
    const std::string reference = task.component_ref ? task.component_ref->name.value_or("") : "";
    entry["component"] = reference;
    const auto found = spec_.components.find(reference);
    if (found == spec_.components.end()) {
      entry["kind"] = "missing";
      return;
    }
    const ComponentSpec& component = found->second;
    entry["outputs"] = signature(component)["outputs"];
    if (component.dag) {
      entry["kind"] = "dag";
      const auto [first, added] = shown_.emplace(reference, path);
      if (!added)
        entry["same_as"] = first->second;
      else if (depth < kDeepestShown)
        entry["tasks"] = tasks_of(*component.dag, path, depth + 1);
      else
        entry["too_deep"] = true;
      return;
    }
    // Only tasks that run in their own container are cached.
    entry["cached"] = task.caching_options && task.caching_options->enable_cache.value_or(false);
    entry["kind"] = "missing";
    const std::string label = component.executor_label.value_or("");
    if (!spec_.deployment_spec || !spec_.deployment_spec->executors.contains(label)) return;
    const Executor& executor = spec_.deployment_spec->executors.at(label);
    if (executor.container) {
      entry["kind"] = "container";
      entry["image"] = executor.container->image.value_or("");
      json words = executor.container->command;
      for (const std::string& word : executor.container->args) words.push_back(word);
      entry["command"] = words;
    } else if (executor.importer) {
      entry["kind"] = "importer";
      const ValueOrRuntimeParameter uri = executor.importer->artifact_uri.value_or(ValueOrRuntimeParameter{});
      if (uri.constant) entry["uri"] = *uri.constant;
      if (uri.runtime_parameter) entry["uri_from"] = "input " + *uri.runtime_parameter;
    } else {
      entry["kind"] = "other";
    }
    if (kubernetes_.contains(label)) entry["kubernetes"] = kubernetes_.at(label);
  }

  const PipelineSpec& spec_;
  json kubernetes_ = json::object();
  std::map<std::string, std::string> shown_;  // component with a DAG -> path of the task that lists it
};

std::string shown_value(const json& value, std::size_t most = 100) {
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() <= most) return text;
  std::size_t end = most - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    --end;  // do not cut inside a character
  return text.substr(0, end) + "...";
}

// A string for the terminal, without control characters.
std::string printable(const std::string& text) {
  const bool clean = std::none_of(text.begin(), text.end(),
                                  [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
  return clean ? text : shown_value(json(text), 10'000);
}

void add_signature(const char* heading, const json& entries, std::string& out) {
  if (entries.empty()) return;
  out += fmt::format("\n{}:\n", heading);
  for (const auto& [name, entry] : entries.items()) {
    out += fmt::format("  {}: {}", printable(name), printable(entry["type"].get<std::string>()));
    if (entry.contains("default")) out += " = " + shown_value(entry["default"]);
    if (entry.contains("optional") && !entry.contains("default")) out += " (optional)";
    out += '\n';
  }
}

void add_tasks(const json& tasks, int column, std::string& out) {
  const std::string indent(static_cast<std::size_t>(column), ' ');
  const auto line = [&](const std::string& text) { out += indent + "    " + printable(text) + '\n'; };
  for (const json& task : tasks) {
    const auto text = [&](const char* field) { return task[field].get<std::string>(); };
    std::string head = indent + "- " + printable(text("name"));
    if (task.contains("display_name")) head += fmt::format(" \"{}\"", printable(text("display_name")));
    const std::string kind = text("kind");
    if (kind == "container")
      head += fmt::format(" [{}]", printable(text("image")));
    else if (kind == "missing")
      head += fmt::format(" [missing: {}]", printable(text("component")));
    else
      head += fmt::format(" [{}]", kind);
    out += head + '\n';
    if (task.contains("condition")) line("if " + text("condition"));
    if (task.contains("loop")) {
      const json& loop = task["loop"];
      std::string words =
          fmt::format("for each {} in {}", loop["item"].get<std::string>(), loop["over"].get<std::string>());
      if (const int limit = loop.value("parallelism", 0); limit > 0)
        words += fmt::format(", at most {} at once", limit);
      line(words);
    }
    if (!task["after"].empty())
      line(fmt::format("after {}", fmt::join(task["after"].get<std::vector<std::string>>(), ", ")));
    if (task.contains("runs_after_failures")) line("also if those fail");
    if (task.contains("retries")) line(fmt::format("retried up to {} times", task["retries"].get<int>()));
    if (task.contains("cached") && !task["cached"].get<bool>() && kind == "container") line("not cached");
    if (task.contains("kubernetes")) line("kubernetes " + shown_value(task["kubernetes"], 160));
    if (task.contains("uri")) line("uri " + shown_value(task["uri"]));
    if (task.contains("uri_from")) line("uri from " + text("uri_from"));
    if (task.contains("inputs")) {
      for (const auto& [name, source] : task["inputs"].items()) {
        std::string words = name + " <- ";
        words += source.contains("value") ? shown_value(source["value"]) : source.value("from", "?");
        if (source.contains("select")) words += " at " + source["select"].get<std::string>();
        line(words);
      }
    }
    if (task.contains("outputs"))
      for (const auto& [name, output] : task["outputs"].items())
        line(fmt::format("-> {}: {}", name, output["type"].get<std::string>()));
    if (task.contains("same_as")) line("the tasks of " + text("same_as"));
    if (task.contains("too_deep")) line("...");
    if (task.contains("tasks")) add_tasks(task["tasks"], column + 4, out);
  }
}

}  // namespace

json graph(const Pipeline& pipeline) {
  const PipelineSpec& spec = pipeline.spec;
  const PipelineInfo info = spec.pipeline_info.value_or(PipelineInfo{});
  json result = {{"name", info.name.value_or("")}};
  if (info.display_name) result["display_name"] = *info.display_name;
  if (info.description) result["description"] = *info.description;
  if (spec.schema_version) result["schema_version"] = *spec.schema_version;
  if (spec.sdk_version) result["sdk_version"] = *spec.sdk_version;
  if (spec.default_pipeline_root) result["pipeline_root"] = *spec.default_pipeline_root;
  if (pipeline.platform) {
    const json platform = to_json(*pipeline.platform);
    const json::json_pointer config("/platforms/kubernetes/pipelineConfig");
    if (platform.contains(config)) result["pipeline_config"] = platform.at(config);
  }
  const ComponentSpec root = spec.root.value_or(ComponentSpec{});
  result.update(signature(root));
  result["tasks"] = root.dag ? GraphBuilder(pipeline).tasks_of(*root.dag, "", 0) : json::array();
  return result;
}

std::string show(const Pipeline& pipeline) {
  const json g = graph(pipeline);
  std::string out = fmt::format("pipeline {}", printable(g["name"].get<std::string>()));
  if (g.contains("display_name"))
    out += fmt::format(" \"{}\"", printable(g["display_name"].get<std::string>()));
  out += '\n';
  for (const char* field : {"description", "schema_version", "sdk_version", "pipeline_root"})
    if (g.contains(field)) out += fmt::format("  {}: {}\n", field, printable(g[field].get<std::string>()));
  if (g.contains("pipeline_config"))
    out += fmt::format("  pipeline_config: {}\n", shown_value(g["pipeline_config"], 160));
  add_signature("inputs", g["inputs"], out);
  add_signature("outputs", g["outputs"], out);
  out += "\ntasks:\n";
  add_tasks(g["tasks"], 2, out);
  return out;
}

}  // namespace kfp::ir
