#include <fmt/format.h>

#include "kfp/compile/detail/interface.h"
#include "kfp/compile/detail/lowering.h"

// Finds the sources of the inputs of tasks, across groups.
namespace kfp::dsl::lowering {
using graph::Channel;
using graph::Group;
using graph::TaskNode;

// The outermost group that contains the collected task, but not the consumer.
const Group& Lowering::surfacer(const Channel& collected, const Group& scope) const {
  const Group* result = collected.of->task->parent;
  while (!result->parent->contains(&scope)) result = result->parent;
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

// Makes a channel from outside an input of a group.
// @return the input's name
std::string Lowering::declare(const Group& group, const Channel& channel) {
  Part& target = part(group);
  std::string name = channel_input(name_in(channel, group));
  if (group.item == &channel) return name;
  const auto [at, added] = target.inputs.emplace(name, &channel);
  if (!added) {
    if (at->second != &channel && at->second->described() != channel.described())
      refuse(group.name,
             fmt::format("needs {} and {} under the same name, {}", at->second->described(),
                         channel.described(), name),
             "give one of the tasks another name");
    return name;
  }
  declare_input(target.component, name, bare(channel.port));
  const Source source = find(channel, *group.parent, target.waits);
  if (!target.task.inputs) target.task.inputs.emplace();
  put(*target.task.inputs, name, channel.port.is_artifact, source);
  return name;
}

// Makes an output of a task inside a group an output of the group.
void Lowering::surface(const Group& group, const Port& port, const std::string& key,
                       const std::string& producer, const std::string& producer_key) {
  Part& target = part(group);
  declare_output(target.component, key, bare(port));
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
  declare_output(target.component, channel.name, bare(channel.port));
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

// The SDK passes inputs of a task through groups that do not need them: operands of enclosing conditions,
// and, for loops over fields of items, the outer item. This function repeats that, so that the IR is the
// same.
void Lowering::pass_as_sdk(const TaskNode& node, const Channel& channel) {
  using Kind = Channel::Kind;
  std::vector<const Channel*> chain;  // the channel, the channel that it is an item or field of, and so on
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
    // Inside its loop, only the item is needed, not the list.
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

}  // namespace kfp::dsl::lowering
