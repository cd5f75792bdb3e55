#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>

#include "kfp/compile/detail/executor.h"
#include "kfp/compile/detail/interface.h"
#include "kfp/compile/detail/lowering.h"

// Assembles the parts of a lowered pipeline, with the SDK's names.
namespace kfp::dsl::lowering {

using graph::Graph;
using graph::Group;
using graph::TaskNode;

void Lowering::check_cycles(const Group& group) const {
  std::map<std::string, const Waits*> upstream;
  for (const auto& inner : group.groups) upstream[inner->name] = &parts_.at(inner.get()).waits;
  for (const TaskNode* node : group.tasks) upstream[node->name] = &waits_.at(node);
  std::set<std::string> done;
  std::vector<std::string> path;
  const std::function<void(const std::string&)> visit = [&](const std::string& name) {
    const auto again = std::find(path.begin(), path.end(), name);
    if (again != path.end()) {
      std::vector<std::string> cycle(again, path.end());
      cycle.push_back(name);
      refuse("task " + name, fmt::format("depends on itself: {}", fmt::join(cycle, " waits for ")));
    }
    if (done.contains(name)) return;
    path.push_back(name);
    for (const std::string& other : *upstream.at(name))
      if (upstream.contains(other)) visit(other);
    path.pop_back();
    done.insert(name);
  };
  for (const auto& [name, waits] : upstream) visit(name);
  for (const auto& inner : group.groups) check_cycles(*inner);
}

// Adds the component (and executor) of a task under an unused name.
std::string Lowering::add_component(const TaskNode& node) {
  ir::ComponentSpec component = interface_of(node.inputs, node.outputs);
  auto& executors = result_.spec.deployment_spec->executors;
  const std::string label = unique_name("exec-" + node.name, executors);
  if (node.is_container()) {
    ir::Task& task = tasks_.at(&node);
    Waits& waits = waits_[&node];
    const auto fill_text = [&](const std::string& text) {
      return fill(node, text, task, waits).get<std::string>();
    };
    executors[label].container = container_of(node, fill_text);
    component.executor_label = label;
    if (node.kubernetes)
      set_kubernetes(
          result_, label, resolved(*node.kubernetes, [&](const std::string& token) {
            return parameter(find(*channels_in(graph_, token, node.described()).at(0), *node.parent, waits));
          }));
  } else if (const auto* source = std::get_if<graph::ImporterSource>(&node.body)) {
    executors[label].importer = importer_of(*source);
    component.executor_label = label;
  } else if (const auto* nested = std::get_if<std::shared_ptr<Graph>>(&node.body)) {
    component = merge(Lowering(**nested).run(), result_);
  } else {
    component = merge(std::get<graph::CompiledPipeline>(node.body).pipeline, result_);
  }
  std::string name = unique_name("comp-" + node.name, result_.spec.components);
  result_.spec.components[name] = std::move(component);
  return name;
}

// Assigns names in the order of the SDK: for each group first its groups, then its tasks, then their
// contents.
void Lowering::name_components(const Group& group) {
  for (const auto& inner : group.groups) {
    Part& target = part(*inner);
    target.component_name = unique_name("comp-" + inner->name, result_.spec.components);
    result_.spec.components[target.component_name];
  }
  for (const TaskNode* node : group.tasks)
    tasks_.at(node).component_ref = ir::ComponentRef{add_component(*node)};
  for (const auto& inner : group.groups) name_components(*inner);
}

void Lowering::assemble(const Group& group) {
  Part& target = part(group);
  if (!target.component.dag) target.component.dag.emplace();
  auto& dag = target.component.dag->tasks;
  for (const TaskNode* node : group.tasks) {
    ir::Task& task = tasks_.at(node);
    const Waits& waits = waits_[node];
    task.dependent_tasks.assign(waits.begin(), waits.end());
    if (node->ignores_upstream_failure)
      task.trigger_policy = ir::TriggerPolicy{.strategy = ir::TriggerStrategy::kAllUpstreamTasksCompleted};
    finish_final_status(*node, task, waits);
    dag[node->name] = std::move(task);
  }
  for (const auto& inner : group.groups) {
    Part& part_of_inner = part(*inner);
    assemble(*inner);
    ir::Task& task = part_of_inner.task;
    task.component_ref = ir::ComponentRef{part_of_inner.component_name};
    task.dependent_tasks.assign(part_of_inner.waits.begin(), part_of_inner.waits.end());
    dag[inner->name] = task;
    result_.spec.components[part_of_inner.component_name] = part_of_inner.component;
  }
  for (auto& [name, task] : dag)
    if (task.inputs && task.inputs->parameters.empty() && task.inputs->artifacts.empty()) task.inputs.reset();
}

void Lowering::add_config() {
  const ir::PipelineConfig& config = graph_.config;
  if (!config.workspace && !config.resource_ttl_on_completion && !config.resource_ttl_on_success &&
      !config.resource_ttl_on_failure && !config.active_deadline_seconds)
    return;
  if (!result_.platform) result_.platform.emplace();
  if (!result_.platform->platforms) result_.platform->platforms.emplace();
  auto& kubernetes = result_.platform->platforms->kubernetes;
  if (!kubernetes) kubernetes.emplace();
  kubernetes->pipeline_config = config;
}

ir::Pipeline Lowering::run() {
  if (graph_.tasks.empty()) refuse("pipeline " + graph_.name, "has no tasks", "add some with Pipeline::task");
  ir::PipelineSpec& spec = result_.spec;
  spec.pipeline_info = ir::PipelineInfo{.name = graph_.name};
  if (!graph_.display_name.empty()) spec.pipeline_info->display_name = graph_.display_name;
  if (!graph_.description.empty()) spec.pipeline_info->description = graph_.description;
  if (!graph_.pipeline_root.empty()) spec.default_pipeline_root = graph_.pipeline_root;
  spec.sdk_version = kSdkVersion;
  spec.schema_version = kSchemaVersion;
  spec.deployment_spec.emplace();
  Part& root = part(graph_.root);
  root.component = interface_of(graph_.inputs, {});

  prepare(graph_.root);
  for (const TaskNode& node : graph_.tasks) lower(node);
  for (const TaskNode& node : graph_.tasks) order(node);
  lower_outputs();
  name_components(graph_.root);
  check_cycles(graph_.root);
  assemble(graph_.root);
  for (const auto& group : graph_.root.groups) {
    if (group->exit_task == nullptr) continue;
    const TaskNode& node = *group->exit_task;
    ir::Task& task = tasks_.at(&node);
    task.component_ref = ir::ComponentRef{add_component(node)};
    task.dependent_tasks = {group->name};
    task.trigger_policy = ir::TriggerPolicy{.strategy = ir::TriggerStrategy::kAllUpstreamTasksCompleted};
    finish_final_status(node, task, {group->name});
    if (task.inputs && task.inputs->parameters.empty() && task.inputs->artifacts.empty()) task.inputs.reset();
    root.component.dag->tasks[node.name] = std::move(task);
  }
  spec.root = std::move(root.component);
  add_config();
  return std::move(result_);
}

}  // namespace kfp::dsl::lowering
