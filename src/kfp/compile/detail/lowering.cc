#include "kfp/compile/detail/lowering.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"
#include "kfp/compile/detail/executor.h"
#include "kfp/compile/detail/interface.h"

namespace kfp::dsl::lowering {

using graph::Channel;
using graph::Group;
using graph::TaskNode;
using nlohmann::json;

void refuse(const std::string& what, std::string message, std::string hint) {
  throw core::UsageError({.message = std::move(message), .field = what, .hint = std::move(hint)});
}

void Lowering::prepare(const Group& group) {
  Part& target = part(group);
  if (group.kind != Group::Kind::kPipeline)
    target.task.task_info = ir::TaskInfo{group.display_name.empty() ? group.name : group.display_name};
  if (group.kind == Group::Kind::kCondition) {
    for (const graph::Comparison& comparison : group.conditions)
      for (const auto& operand : {comparison.left, comparison.right})
        if (const auto* channel = std::get_if<const Channel*>(&operand)) declare(group, **channel);
    target.task.trigger_policy = ir::TriggerPolicy{.condition = condition_text(group)};
  }
  if (group.kind == Group::Kind::kLoop) {
    const std::string item = channel_input(group.item->full_name());
    declare_input(target.component, item, bare(group.item->port));
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

// Replaces each value in the strings of `value` by the placeholder of an input, and adds that input to the
// task.
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
      refuse(node.described(name),
             fmt::format("takes the final status of task {}, but would not run if it fails", producer->name),
             "call ignore_upstream_failure()");
    waits.insert(producer->name);
    task.inputs->parameters[name].task_final_status = ir::TaskFinalStatus{producer->name};
  }
}

// The backend fails if a command names an input that is not passed, even if it has a default.
void Lowering::pass_defaults(const TaskNode& node, ir::Task& task) const {
  const auto* component = std::get_if<ContainerComponent>(&node.body);
  for (const auto& [name, port] : node.inputs) {
    if (node.arguments.contains(name) || port.type.type == ParameterType::kTaskFinalStatus) continue;
    if (!port.optional)
      refuse(node.described(name), "is not set",
             fmt::format("{} requires it: set it, or declare it optional there",
                         component ? "component " + component->name : "the pipeline inside"));
    if (component == nullptr || !needs_input(*component, name)) continue;
    if (!port.default_value)
      refuse(node.described(name),
             fmt::format("is not set and has no default, but the command of component {} needs it",
                         component->name),
             port.is_artifact ? "set it, or read it from executor_input()"
                              : "set it, or put the arguments that need it into if_present");
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
        .backoff_duration = duration_of(node.retry->backoff_duration),
        .backoff_factor = node.retry->backoff_factor == 0 ? 2.0 : node.retry->backoff_factor,
        .backoff_max_duration = duration_of(node.retry->backoff_max_duration)};
    if (node.retry->count > 0) retry.max_retry_count = node.retry->count;
    task.retry_policy = retry;
  }
  task.inputs.emplace();
  // Values in resources and image become separate inputs, with the SDK's names.
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
    for (const std::string& token : tokens_of(*node.kubernetes)) use(token);
  for (const Group* group = node.parent; group != nullptr; group = group->parent)
    for (const graph::Comparison& comparison : group->conditions)
      for (const auto& operand : {comparison.left, comparison.right})
        if (const auto* channel = std::get_if<const Channel*>(&operand)) used.push_back(*channel);
  for (const Channel* channel : used) pass_as_sdk(node, *channel);
}

// Applies after(): adds the dependency between the two groups (or tasks) that contain both tasks and are in
// the same DAG.
void Lowering::order(const TaskNode& node) {
  for (const auto& upstream : node.after) {
    const auto* task = std::get_if<const TaskNode*>(&upstream);
    std::string producer;
    const Group* around = nullptr;  // group of the producer
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
                   : "a task can wait for a task inside a condition only if it is inside it, too");
    }
    // The group around this task (or the task itself) that is in the producer's group.
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
             fmt::format("is the final status of an unknown task: the task waits for {} tasks{}",
                         waits.size(), waits.empty() ? "" : fmt::format(" ({})", fmt::join(waits, ", "))),
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
    // The output is declared as the pipeline's, with its description.
    declare_output(root.component, name, output.port);
  }
}

}  // namespace kfp::dsl::lowering
