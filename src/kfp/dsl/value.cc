#include "kfp/dsl/value.h"

#include <fmt/format.h>

#include <set>

#include "core/error.h"
#include "kfp/dsl/detail/graph.h"
#include "kfp/dsl/detail/refuse.h"

namespace kfp::dsl {
namespace {

using graph::Channel;
using graph::Group;

template <class Handle>
Handle collect(const Handle& output) {
  const Channel& channel = output.channel();
  if (channel.kind != Channel::Kind::kTaskOutput)
    refuse("collected", fmt::format("cannot take {}", channel.described()),
           "collect outputs of tasks in a loop");
  Port port = channel.port;
  if (port.is_artifact)
    port.is_list = true;
  else
    port.type = list_of(channel.port.type);
  return Handle(output.graph(),
                output.graph()->add(
                    {.kind = Channel::Kind::kCollected, .name = channel.name, .port = port, .of = &channel}));
}

// The group of branches that has the branch of an output.
Group* branches_of(const Channel& channel) {
  if (channel.kind != Channel::Kind::kTaskOutput)
    refuse("one_of", fmt::format("cannot take {}", channel.described()), "give it outputs of tasks");
  Group* branch = channel.task->parent;
  if (branch->kind != Group::Kind::kCondition || branch->parent->kind != Group::Kind::kBranches)
    refuse("one_of",
           fmt::format("cannot take {}, which is not in a branch of an if_ with else_", channel.described()));
  return branch->parent;
}

template <class Handle>
Handle choose(const std::vector<Handle>& outputs) {
  if (outputs.empty()) refuse("one_of", "has no outputs to choose from");
  const Channel& first = outputs.front().channel();
  Group* branches = branches_of(first);
  Channel result{.kind = Channel::Kind::kOneOf, .port = first.port, .group = branches};
  std::set<const Group*> given;
  for (const Handle& output : outputs) {
    const Channel& channel = output.channel();
    if (branches_of(channel) != branches)
      refuse("one_of",
             fmt::format("{} and {} do not belong to the same if_", first.described(), channel.described()));
    if (channel.port.type_name() != first.port.type_name())
      refuse("one_of", fmt::format("{} and {} differ in type", first.described(), channel.described()));
    if (!given.insert(channel.task->parent).second)
      refuse("one_of", fmt::format("takes two outputs of {}: the second is {}", channel.task->parent->name,
                                   channel.described()));
    result.choices.push_back(&channel);
  }
  if (!branches->has_else)
    refuse("one_of",
           fmt::format("{} has no else_, so that possibly none of its outputs exists", branches->name));
  for (const auto& branch : branches->groups)
    if (!given.contains(branch.get()))
      refuse("one_of",
             fmt::format("lacks an output of {}, another branch than that of {}", branch->name,
                         first.described()),
             "give one output of each branch");
  result.name = fmt::format("pipelinechannel--{}-oneof-{}", branches->name, ++branches->one_ofs);
  return Handle(outputs.front().graph(), outputs.front().graph()->add(std::move(result)));
}

}  // namespace

Value Value::operator[](const std::string& field) const {
  const bool is_item = channel_->kind == Channel::Kind::kLoopItem;
  const ParameterType type = channel_->port.type.type;
  if (!is_item || (type != ParameterType::kStruct && type != ParameterType::kUnspecified))
    refuse(channel_->described(), fmt::format("has no field \"{}\"", field),
           "only loop items that are objects have fields");
  if (channel_->group->items == nullptr && !channel_->group->raw_items.front().contains(field))
    refuse(channel_->described(), fmt::format("has no field \"{}\"", field),
           fmt::format("the first item is {}", channel_->group->raw_items.front().dump()));
  return Value(graph_, graph_->add({.kind = Channel::Kind::kItemField,
                                    .name = field,
                                    .port = {.type = channel_->port.type.item()},
                                    .of = channel_}));
}

std::string Value::text() const {
  return graph::token(*graph_, *channel_);
}
const ValueType& Value::type() const {
  return channel_->port.type;
}
const std::string& Artifact::schema_title() const {
  return channel_->port.schema_title;
}

void to_json(nlohmann::json& json, const Value& value) {
  json = value.text();
}

Value collected(const Value& output) {
  return collect(output);
}
Artifact collected(const Artifact& output) {
  return collect(output);
}
Value one_of(const std::vector<Value>& outputs) {
  return choose(outputs);
}
Artifact one_of(const std::vector<Artifact>& outputs) {
  return choose(outputs);
}

std::string job_name() {
  return "{{$.pipeline_job_name}}";
}
std::string job_resource_name() {
  return "{{$.pipeline_job_resource_name}}";
}
std::string job_id() {
  return "{{$.pipeline_job_uuid}}";
}
std::string task_name() {
  return "{{$.pipeline_task_name}}";
}
std::string task_id() {
  return "{{$.pipeline_task_uuid}}";
}
std::string job_create_time() {
  return "{{$.pipeline_job_create_time_utc}}";
}
std::string job_schedule_time() {
  return "{{$.pipeline_job_schedule_time_utc}}";
}
std::string pipeline_root() {
  return "{{$.pipeline_root}}";
}
std::string workspace_path() {
  return "{{$.workspace_path}}";
}

}  // namespace kfp::dsl
