#include "kfp/compile/compile.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "core/error.h"
#include "kfp/compile/executor.h"
#include "kfp/compile/interface.h"
#include "kfp/dsl/graph.h"
#include "kfp/ir/validate.h"

namespace kfp::dsl {
namespace {

using graph::Channel;
using graph::Graph;
using graph::Group;
using graph::TaskNode;
using lowering::channel_input;
using nlohmann::json;

constexpr const char* kSdkVersion = "kfp-2.17.0";  // whose IR this is; backends read it
constexpr const char* kSchemaVersion = "2.1.0";

[[noreturn]] void refuse(const std::string& what, std::string message, std::string hint = "") {
  throw core::UsageError({.message = std::move(message), .field = what, .hint = std::move(hint)});
}

// What a group passes on says nothing of defaults and descriptions.
Port bare(const Port& port) {
  Port result = port;
  result.default_value.reset();
  result.optional = false;
  result.description.clear();
  return result;
}

/// Lowers one pipeline. Each group becomes a component with a DAG and a task that runs it; a channel that is
/// used inside a group but comes from outside becomes an input of the group, and of every group in between.
class Lowering {
 public:
  explicit Lowering(const Graph& graph) : graph_(graph) {}

  ir::Pipeline run();

 private:
  using Waits = std::set<std::string>;

  struct Part {
    ir::ComponentSpec component;
    ir::Task task;
    Waits waits;
    std::map<std::string, const Channel*> inputs;  ///< added ones
    std::string component_name;
  };
  struct Source {
    std::string producer;  ///< a task of the same DAG; empty: an input of the DAG's component
    std::string key;
    std::string selector;
  };

  // Where things are.
  Part& part(const Group& group) { return parts_[&group]; }
  std::string name_in(const Channel& channel, const Group& scope) const;
  const Group& surfacer(const Channel& collected, const Group& scope) const;

  // Channels.
  Source find(const Channel& channel, const Group& scope, Waits& waits);
  std::string declare(const Group& group, const Channel& channel);
  void surface(const Group& group, const Port& port, const std::string& key, const std::string& producer,
               const std::string& producer_key);
  Source surface_collected(const Channel& channel, const Group& scope);
  Source surface_one_of(const Channel& channel);
  void pass_as_sdk(const TaskNode& node, const Channel& channel);
  ir::TaskInputParameter parameter(const Source& source) const;
  ir::TaskInputArtifact artifact(const Source& source) const;
  void put(ir::TaskInputs& inputs, const std::string& name, bool is_artifact, const Source& source) const;

  // Groups and tasks.
  void prepare(const Group& group);
  void lower(const TaskNode& node);
  void set_argument(const TaskNode& node, const std::string& name, const graph::Argument& argument,
                    ir::Task& task, Waits& waits);
  json fill(const TaskNode& node, const json& value, ir::Task& task, Waits& waits);
  void pass_defaults(const TaskNode& node, ir::Task& task) const;
  void order(const TaskNode& node);
  void finish_final_status(const TaskNode& node, ir::Task& task, const Waits& waits) const;
  void lower_outputs();

  // Assembly.
  void check_cycles(const Group& group) const;
  void name_components(const Group& group);
  std::string add_component(const TaskNode& node);
  void assemble(const Group& group);
  void add_config();

  const Graph& graph_;
  ir::Pipeline result_;
  std::map<const Group*, Part> parts_;
  std::map<const TaskNode*, ir::Task> tasks_;
  std::map<const TaskNode*, Waits> waits_;
};

// --- Where channels come from ---

// The outermost group that has the collected task, but not the consumer, in it.
const Group& Lowering::surfacer(const Channel& collected, const Group& scope) const {
  const Group* result = nullptr;
  for (const Group* group = collected.of->task->parent; !group->contains(&scope); group = group->parent)
    result = group;
  return *result;
}

std::string Lowering::name_in(const Channel& channel, const Group& scope) const {
  if (channel.kind != Channel::Kind::kCollected) return channel.full_name();
  return surfacer(channel, scope).name + "-" + channel_input(channel.full_name());
}

Lowering::Source Lowering::find(const Channel& channel, const Group& scope, Waits& waits) {
  using Kind = Channel::Kind;
  switch (channel.kind) {
    case Kind::kPipelineInput:
      if (&scope == &graph_.root) return {.key = channel.name};
      break;
    case Kind::kTaskOutput:
      if (&scope != channel.task->parent) break;
      waits.insert(channel.task->name);
      return {.producer = channel.task->name, .key = channel.name};
    case Kind::kLoopItem:
      if (&scope == channel.group) return {.key = channel_input(channel.full_name())};
      break;
    case Kind::kItemField: {
      Source source = find(*channel.of, scope, waits);
      source.selector = fmt::format("parseJson(string_value)[\"{}\"]", channel.name);
      return source;
    }
    case Kind::kCollected: {
      if (surfacer(channel, scope).parent != &scope) break;
      Source source = surface_collected(channel, scope);
      waits.insert(source.producer);
      return source;
    }
    case Kind::kOneOf: {
      if (&scope != channel.group->parent) break;
      Source source = surface_one_of(channel);
      waits.insert(source.producer);
      return source;
    }
  }
  return {.key = declare(scope, channel)};
}

// Makes a channel from outside an input of a group; the input's name.
std::string Lowering::declare(const Group& group, const Channel& channel) {
  Part& target = part(group);
  const std::string name = channel_input(name_in(channel, group));
  if (group.item == &channel) return name;
  const auto [at, added] = target.inputs.emplace(name, &channel);
  if (!added) {
    if (at->second != &channel && at->second->described() != channel.described())
      refuse(group.name,
             fmt::format("needs {} and {} under one name, {}", at->second->described(), channel.described(),
                         name),
             "give one of the tasks another name");
    return name;
  }
  lowering::declare_input(target.component, name, bare(channel.port));
  const Source source = find(channel, *group.parent, target.waits);
  if (!target.task.inputs) target.task.inputs.emplace();
  put(*target.task.inputs, name, channel.port.is_artifact, source);
  return name;
}

// Makes an output of a task inside a group an output of the group.
void Lowering::surface(const Group& group, const Port& port, const std::string& key,
                       const std::string& producer, const std::string& producer_key) {
  Part& target = part(group);
  lowering::declare_output(target.component, key, bare(port));
  if (!target.component.dag) target.component.dag.emplace();
  if (!target.component.dag->outputs) target.component.dag->outputs.emplace();
  ir::DagOutputs& outputs = *target.component.dag->outputs;
  if (port.is_artifact)
    outputs.artifacts[key].artifact_selectors = {
        {.producer_subtask = producer, .output_artifact_key = producer_key}};
  else
    outputs.parameters[key].value_from_parameter =
        ir::ParameterSelector{.producer_subtask = producer, .output_parameter_key = producer_key};
}

Lowering::Source Lowering::surface_collected(const Channel& channel, const Group& scope) {
  const std::string key = channel_input(channel.full_name());
  std::string producer = channel.of->task->name;
  std::string producer_key = channel.of->name;
  for (const Group* group = channel.of->task->parent; group != &scope; group = group->parent) {
    surface(*group, channel.port, key, producer, producer_key);
    producer = group->name;
    producer_key = key;
  }
  return {.producer = producer, .key = producer_key};
}

Lowering::Source Lowering::surface_one_of(const Channel& channel) {
  const Group& branches = *channel.group;
  Part& target = part(branches);
  lowering::declare_output(target.component, channel.name, bare(channel.port));
  if (!target.component.dag) target.component.dag.emplace();
  if (!target.component.dag->outputs) target.component.dag->outputs.emplace();
  ir::DagOutputs& outputs = *target.component.dag->outputs;
  ir::DagOutputArtifact artifacts;
  ir::ParameterSelectors parameters;
  for (const Channel* choice : channel.choices) {
    const Group& branch = *choice->task->parent;
    const std::string key = channel_input(choice->full_name());
    surface(branch, choice->port, key, choice->task->name, choice->name);
    artifacts.artifact_selectors.push_back({.producer_subtask = branch.name, .output_artifact_key = key});
    parameters.parameter_selectors.push_back({.producer_subtask = branch.name, .output_parameter_key = key});
  }
  if (channel.port.is_artifact)
    outputs.artifacts[channel.name] = std::move(artifacts);
  else
    outputs.parameters[channel.name].value_from_oneof = std::move(parameters);
  return {.producer = branches.name, .key = channel.name};
}

// The SDK passes what a task needs through groups that could do without: operands of the conditions around
// it, and, for items of loops over fields of items, the outer item. Here so that the IR is the same.
void Lowering::pass_as_sdk(const TaskNode& node, const Channel& channel) {
  using Kind = Channel::Kind;
  std::vector<const Channel*> chain;  // the channel, what it is an item or field of, and so on
  for (const Channel* link = &channel; link != nullptr;) {
    chain.push_back(link);
    if (link->kind == Kind::kItemField)
      link = link->of;
    else if (link->kind == Kind::kLoopItem)
      link = link->group->items;
    else
      link = nullptr;
  }
  const Channel& item = channel.kind == Kind::kItemField ? *channel.of : channel;
  if (item.kind == Kind::kLoopItem && item.group->items == nullptr && channel.kind == Kind::kItemField)
    return;
  const Channel& base = *chain.back();
  const Group* home = base.kind == Kind::kCollected ? base.of->task->parent : graph::home_of(base, graph_);
  std::vector<const Group*> path;
  for (const Group* group = node.parent; !group->contains(home); group = group->parent) path.push_back(group);
  for (auto group = path.rbegin(); group != path.rend() && !chain.empty(); ++group) {
    declare(**group, *chain.back());
    // Inside its loop, only the item is needed of what the loop goes over.
    if ((*group)->item == nullptr) continue;
    for (const Channel* link = (*group)->items; link != nullptr;) {
      if (link == chain.back()) {
        chain.pop_back();
        break;
      }
      link = link->kind == Kind::kItemField  ? link->of
             : link->kind == Kind::kLoopItem ? link->group->items
                                             : nullptr;
    }
  }
}

ir::TaskInputParameter Lowering::parameter(const Source& source) const {
  ir::TaskInputParameter input;
  if (source.producer.empty())
    input.component_input_parameter = source.key;
  else
    input.task_output_parameter =
        ir::TaskOutputParameter{.producer_task = source.producer, .output_parameter_key = source.key};
  if (!source.selector.empty()) input.parameter_expression_selector = source.selector;
  return input;
}

ir::TaskInputArtifact Lowering::artifact(const Source& source) const {
  ir::TaskInputArtifact input;
  if (source.producer.empty())
    input.component_input_artifact = source.key;
  else
    input.task_output_artifact =
        ir::TaskOutputArtifact{.producer_task = source.producer, .output_artifact_key = source.key};
  return input;
}

void Lowering::put(ir::TaskInputs& inputs, const std::string& name, bool is_artifact,
                   const Source& source) const {
  if (is_artifact)
    inputs.artifacts[name] = artifact(source);
  else
    inputs.parameters[name] = parameter(source);
}

// --- Groups and tasks ---

void Lowering::prepare(const Group& group) {
  Part& target = part(group);
  if (group.kind != Group::Kind::kPipeline)
    target.task.task_info = ir::TaskInfo{group.display_name.empty() ? group.name : group.display_name};
  if (group.kind == Group::Kind::kCondition) {
    for (const graph::Comparison& comparison : group.conditions)
      for (const auto& operand : {comparison.left, comparison.right})
        if (const auto* channel = std::get_if<const Channel*>(&operand)) declare(group, **channel);
    target.task.trigger_policy = ir::TriggerPolicy{.condition = lowering::condition_text(group)};
  }
  if (group.kind == Group::Kind::kLoop) {
    const std::string item = channel_input(group.item->full_name());
    lowering::declare_input(target.component, item, bare(group.item->port));
    ir::ParameterItems items;
    if (group.items != nullptr)
      items.input_parameter = declare(group, *group.items);
    else
      items.raw = python_json(group.raw_items);
    target.task.parameter_iterator = ir::ParameterIterator{.items = items, .item_input = item};
    if (group.parallelism > 0) target.task.iterator_policy = ir::IteratorPolicy{group.parallelism};
  }
  for (const auto& inner : group.groups) prepare(*inner);
}

// Texts with each value replaced by the placeholder of an input, which the task gets for it.
json Lowering::fill(const TaskNode& node, const json& value, ir::Task& task, Waits& waits) {
  return replace_tokens(graph_, value, [&](const Channel& channel) {
    const std::string name = channel_input(name_in(channel, *node.parent));
    task.inputs->parameters[name] = parameter(find(channel, *node.parent, waits));
    return input(name);
  });
}

void Lowering::set_argument(const TaskNode& node, const std::string& name, const graph::Argument& argument,
                            ir::Task& task, Waits& waits) {
  if (const auto* channel = std::get_if<const Channel*>(&argument)) {
    put(*task.inputs, name, (*channel)->port.is_artifact, find(**channel, *node.parent, waits));
  } else if (const auto* constant = std::get_if<json>(&argument)) {
    task.inputs->parameters[name].runtime_value =
        ir::ValueOrRuntimeParameter{.constant = fill(node, *constant, task, waits)};
  } else {
    const TaskNode* producer = std::get<graph::FinalStatusOf>(argument).task;
    if (!node.ignores_upstream_failure)
      refuse(
          node.described(name),
          fmt::format("takes the final status of task {}, but would not run where it fails", producer->name),
          "call ignore_upstream_failure()");
    waits.insert(producer->name);
    task.inputs->parameters[name].task_final_status = ir::TaskFinalStatus{producer->name};
  }
}

// The backend fails where a command names an input that is not passed, whatever its default.
void Lowering::pass_defaults(const TaskNode& node, ir::Task& task) const {
  const auto* component = std::get_if<ContainerComponent>(&node.body);
  for (const auto& [name, port] : node.inputs) {
    if (node.arguments.contains(name) || port.type.type == ParameterType::kTaskFinalStatus) continue;
    if (!port.optional)
      refuse(node.described(name), "is not set",
             fmt::format("it is required by {}: set it, or declare it optional there",
                         component ? "component " + component->name : "the pipeline inside"));
    if (component == nullptr || !needs_input(*component, name)) continue;
    if (!port.default_value)
      refuse(node.described(name),
             fmt::format("is not set and has no default, but the command of component {} needs it",
                         component->name),
             port.is_artifact ? "set it, or read it from executor_input()"
                              : "set it, or put what needs it into if_present");
    task.inputs->parameters[name].runtime_value =
        ir::ValueOrRuntimeParameter{.constant = *port.default_value};
  }
}

void Lowering::lower(const TaskNode& node) {
  ir::Task task;
  Waits& waits = waits_[&node];
  task.task_info = ir::TaskInfo{node.display_name.empty() ? node.name : node.display_name};
  task.caching_options.emplace();
  if (node.caching) task.caching_options->enable_cache = true;
  if (!node.cache_key.empty()) task.caching_options->cache_key = node.cache_key;
  if (node.retry) {
    ir::RetryPolicy retry{
        .backoff_duration = lowering::duration_of(node.retry->backoff_duration),
        .backoff_factor = node.retry->backoff_factor == 0 ? 2.0 : node.retry->backoff_factor,
        .backoff_max_duration = lowering::duration_of(node.retry->backoff_max_duration)};
    if (node.retry->count > 0) retry.max_retry_count = node.retry->count;
    task.retry_policy = retry;
  }
  task.inputs.emplace();
  // Values in resources and image come as inputs of their own, under the names that the SDK gives them.
  const graph::ResourceTexts& resources = node.resources;
  for (const auto& [name, text] : {std::pair("cpu_request", resources.cpu_request),
                                   {"cpu_limit", resources.cpu_limit},
                                   {"memory_request", resources.memory_request},
                                   {"memory_limit", resources.memory_limit},
                                   {"accelerator_type", resources.accelerator_type},
                                   {"accelerator_count", resources.accelerator_count},
                                   {"base_image", node.image}})
    if (text && !channels_in(graph_, *text, node.described()).empty())
      set_argument(node, name, json(*text), task, waits);
  for (const auto& [name, argument] : node.arguments) set_argument(node, name, argument, task, waits);
  pass_defaults(node, task);
  tasks_[&node] = std::move(task);
  if (node.exit_of != nullptr) return;

  std::vector<const Channel*> used;
  const auto use = [&](const json& text) {
    for (const Channel* channel : channels_in(graph_, text, node.described())) used.push_back(channel);
  };
  for (const auto& [name, argument] : node.arguments) {
    if (const auto* channel = std::get_if<const Channel*>(&argument)) used.push_back(*channel);
    if (const auto* constant = std::get_if<json>(&argument)) use(*constant);
  }
  if (node.image) use(*node.image);
  if (node.kubernetes)
    for (const std::string& token : lowering::tokens_of(*node.kubernetes)) use(token);
  for (const Group* group = node.parent; group != nullptr; group = group->parent)
    for (const graph::Comparison& comparison : group->conditions)
      for (const auto& operand : {comparison.left, comparison.right})
        if (const auto* channel = std::get_if<const Channel*>(&operand)) used.push_back(*channel);
  for (const Channel* channel : used) pass_as_sdk(node, *channel);
}

// after(): between those groups around both tasks that are beside each other.
void Lowering::order(const TaskNode& node) {
  for (const auto& upstream : node.after) {
    const auto* task = std::get_if<const TaskNode*>(&upstream);
    std::string producer;
    const Group* around = nullptr;  // of the producer
    if (task != nullptr) {
      producer = (*task)->name;
      around = (*task)->parent;
      if ((*task)->exit_of != nullptr)
        refuse(node.described(),
               fmt::format("waits for {}, the exit task of {}", (*task)->described(), (*task)->exit_of->name),
               "wait for the exit handler");
    } else {
      const Group* handler = std::get<const Group*>(upstream);
      producer = handler->name;
      around = handler->parent;
    }
    const std::string original = producer;
    for (; !around->contains(node.parent); around = around->parent) {
      producer = around->name;
      const bool outermost = around->parent->contains(node.parent);
      if (outermost && (around->kind == Group::Kind::kCondition || around->kind == Group::Kind::kExitHandler))
        refuse(node.described(), fmt::format("waits for task {}, which is inside {}", original, around->name),
               around->kind == Group::Kind::kExitHandler
                   ? "wait for the exit handler"
                   : "tasks wait for others inside a condition only if they are inside it, too");
    }
    // The group around this task (or the task) that is beside the producer.
    Waits* waits = &waits_[&node];
    for (const Group* group = node.parent; group != around; group = group->parent)
      waits = &part(*group).waits;
    waits->insert(producer);
  }
}

void Lowering::finish_final_status(const TaskNode& node, ir::Task& task, const Waits& waits) const {
  for (const auto& [name, port] : node.inputs) {
    if (port.type.type != ParameterType::kTaskFinalStatus || node.arguments.contains(name)) continue;
    if (node.exit_of == nullptr && !node.ignores_upstream_failure)
      refuse(node.described(name),
             "is the final status of another task, which only exit tasks and tasks that ignore "
             "upstream failures have");
    if (waits.size() != 1)
      refuse(node.described(name),
             fmt::format("cannot tell whose final status it is: the task waits for {} tasks{}", waits.size(),
                         waits.empty() ? "" : fmt::format(" ({})", fmt::join(waits, ", "))),
             "set it to final_status(task)");
    if (!task.inputs) task.inputs.emplace();
    task.inputs->parameters[name].task_final_status = ir::TaskFinalStatus{*waits.begin()};
  }
}

void Lowering::lower_outputs() {
  Part& root = part(graph_.root);
  for (const auto& [name, output] : graph_.outputs) {
    Waits ignored;
    const Source source = find(*output.channel, graph_.root, ignored);
    surface(graph_.root, output.port, name, source.producer, source.key);
    // Declared as the pipeline's, with its description.
    lowering::declare_output(root.component, name, output.port);
  }
}

// --- Assembly ---

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
      refuse("task " + name, fmt::format("waits for itself: {}", fmt::join(cycle, " waits for ")));
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

// Adds the component (and executor) of a task under a free name.
std::string Lowering::add_component(const TaskNode& node) {
  ir::ComponentSpec component = lowering::interface_of(node.inputs, node.outputs);
  auto& executors = result_.spec.deployment_spec->executors;
  const std::string label = unique_name("exec-" + node.name, executors);
  if (node.is_container()) {
    ir::Task& task = tasks_.at(&node);
    Waits& waits = waits_[&node];
    const auto fill_text = [&](const std::string& text) {
      return fill(node, text, task, waits).get<std::string>();
    };
    executors[label].container = lowering::container_of(node, fill_text);
    component.executor_label = label;
    if (node.kubernetes)
      lowering::set_kubernetes(
          result_, label, lowering::resolved(*node.kubernetes, [&](const std::string& token) {
            return parameter(find(*channels_in(graph_, token, node.described()).at(0), *node.parent, waits));
          }));
  } else if (const auto* source = std::get_if<graph::ImporterSource>(&node.body)) {
    executors[label].importer = lowering::importer_of(*source);
    component.executor_label = label;
  } else if (const auto* nested = std::get_if<std::shared_ptr<Graph>>(&node.body)) {
    component = lowering::merge(Lowering(**nested).run(), result_);
  } else {
    component = lowering::merge(std::get<graph::CompiledPipeline>(node.body).pipeline, result_);
  }
  const std::string name = unique_name("comp-" + node.name, result_.spec.components);
  result_.spec.components[name] = std::move(component);
  return name;
}

// Names in the order of the SDK: of each group first the groups in it, then the tasks, then what is inside.
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
  root.component = lowering::interface_of(graph_.inputs, {});

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

void apply(const CompileOptions& options, ir::Pipeline& pipeline) {
  if (!options.name.empty()) pipeline.spec.pipeline_info->name = options.name;
  const Ports inputs = inputs_from_ir(*pipeline.spec.root);
  for (const auto& [name, value] : options.defaults) {
    const auto found = inputs.find(name);
    const std::string what = fmt::format("default of input \"{}\"", name);
    if (found == inputs.end()) refuse(what, "is given, but there is no such input");
    if (found->second.is_artifact) refuse(what, "is given, but the input is an artifact, which has none");
    pipeline.spec.root->input_definitions->parameters[name].default_value =
        constant_for(found->second.type, value, what);
  }
  // What the DSL does not see: mistakes inside compiled pipelines and components that were taken in.
  for (const ir::Problem& problem : ir::validate(pipeline))
    if (problem.severity == ir::Problem::Severity::kError)
      refuse("the compiled pipeline: " + problem.place, problem.message, problem.hint);
}

}  // namespace

ir::Pipeline compile(const Pipeline& pipeline, const CompileOptions& options) {
  ir::Pipeline result = Lowering(*pipeline.graph()).run();
  apply(options, result);
  return result;
}

ir::Pipeline compile(const ContainerComponent& component, const CompileOptions& options) {
  const ContainerComponent ready = checked(component);
  const std::string name = kubernetes_name(ready.name);
  ir::Task task{.task_info = ir::TaskInfo{name},
                .caching_options = ir::CachingOptions{.enable_cache = true},
                .component_ref = ir::ComponentRef{"comp-" + name}};
  ir::ComponentSpec root = lowering::interface_of(ready.inputs, ready.outputs);
  root.dag.emplace();
  if (!ready.inputs.empty()) task.inputs.emplace();
  for (const auto& [input, port] : ready.inputs) {
    if (port.is_artifact)
      task.inputs->artifacts[input].component_input_artifact = input;
    else
      task.inputs->parameters[input].component_input_parameter = input;
  }
  if (!ready.outputs.empty()) root.dag->outputs.emplace();
  for (const auto& [output, port] : ready.outputs) {
    if (port.is_artifact)
      root.dag->outputs->artifacts[output].artifact_selectors = {
          {.producer_subtask = name, .output_artifact_key = output}};
    else
      root.dag->outputs->parameters[output].value_from_parameter =
          ir::ParameterSelector{.producer_subtask = name, .output_parameter_key = output};
  }
  root.dag->tasks[name] = std::move(task);
  ir::Pipeline result;
  result.spec.pipeline_info = ir::PipelineInfo{.name = name};
  result.spec.sdk_version = kSdkVersion;
  result.spec.schema_version = kSchemaVersion;
  result.spec.deployment_spec.emplace();
  result.spec.deployment_spec->executors["exec-" + name].container =
      ir::Container{.image = ready.image, .command = ready.command, .args = ready.args};
  ir::ComponentSpec own = lowering::interface_of(ready.inputs, ready.outputs);
  own.executor_label = "exec-" + name;
  result.spec.components["comp-" + name] = std::move(own);
  result.spec.root = std::move(root);
  apply(options, result);
  return result;
}

}  // namespace kfp::dsl
