#include "kfp/dsl/task.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <regex>

#include "core/error.h"
#include "kfp/component/field.h"
#include "kfp/dsl/detail/graph.h"
#include "kfp/dsl/detail/refuse.h"
#include "kfp/dsl/pipeline.h"
#include "kfp/ir/placeholder.h"

namespace kfp::dsl {
namespace {

using graph::Channel;
using graph::TaskNode;
using nlohmann::json;

std::string names(const Ports& ports, bool artifacts) {
  std::vector<std::string> found;
  for (const auto& [name, port] : ports)
    if (port.is_artifact == artifacts) found.push_back(name);
  return found.empty() ? "it has none" : fmt::format("there are {}", fmt::join(found, ", "));
}

// The group whose values a task's inputs may use: an exit task runs at the top.
const graph::Group& scope_of(const TaskNode& node) {
  return *node.parent;
}

void check_same_pipeline(const Task& task, const std::shared_ptr<graph::Graph>& other, const Channel& channel,
                         const std::string& consumer) {
  if (task.graph() == other) return;
  refuse(consumer,
         fmt::format("of pipeline {} cannot take {} of pipeline {}", task.graph()->name, channel.described(),
                     other->name),
         "pass it in as a parameter of the inner pipeline, or out as its output");
}

void check_channel(const Task& task, const std::shared_ptr<graph::Graph>& graph, const Channel& channel,
                   const Port& wanted, const std::string& consumer) {
  check_same_pipeline(task, graph, channel, consumer);
  if (channel.task == &task.node() || (channel.of != nullptr && channel.of->task == &task.node()))
    refuse(consumer, fmt::format("cannot take {}, an output of the task itself", channel.described()));
  if (task.node().exit_of != nullptr && channel.kind != Channel::Kind::kPipelineInput)
    refuse(consumer,
           fmt::format("cannot take {}: the exit task of {} takes constants and inputs of the pipeline",
                       channel.described(), task.node().exit_of->name));
  // Items of a list without an item type get the type of their first use.
  if (channel.kind == Channel::Kind::kLoopItem && channel.port.type.type == ParameterType::kUnspecified &&
      !wanted.is_artifact && wanted.type.type != ParameterType::kString)
    graph->channels[channel.id].port.type = wanted.type;
  const std::string why = mismatch(channel.port, wanted);
  if (!why.empty()) refuse(consumer, fmt::format("cannot take {}: {}", channel.described(), why));
  check_visible(*graph, channel, scope_of(task.node()), consumer);
}

// Rejects run placeholders unless they are the whole value, because only then are they filled in.
void check_placeholders(const json& value, const std::string& consumer) {
  if (value.is_structured()) {
    for (const json& element : value) check_placeholders(element, consumer);
    return;
  }
  if (!value.is_string()) return;
  const auto& text = value.get_ref<const std::string&>();
  for (const ir::Placeholder& placeholder : ir::placeholders_in(text)) {
    using Kind = ir::Placeholder::Kind;
    if (placeholder.kind == Kind::kWorkspacePath ||
        (placeholder.kind == Kind::kRun && placeholder.text == text))
      continue;
    if (placeholder.kind == Kind::kRun)
      refuse(consumer, placeholder.text + " is filled in only if it is the whole value",
             "give the component a separate input for it");
    refuse(consumer, placeholder.text + " is not filled in here");
  }
}

json checked_constant(const Task& task, const json& value, const Port& port, const std::string& consumer) {
  if (port.is_artifact)
    refuse(consumer, fmt::format("cannot be the constant {}: it takes an artifact", value.dump()),
           "make an artifact of existing data with Pipeline::importer");
  if (port.type.type == ParameterType::kTaskFinalStatus)
    refuse(consumer, "cannot be a constant", "set it to final_status(task)");
  const std::vector<const Channel*> channels = channels_in(*task.graph(), value, consumer);
  for (const Channel* channel : channels) {
    if (channel->port.is_artifact)
      refuse(consumer, fmt::format("cannot have {} in a string", channel->described()));
    check_channel(task, task.graph(), *channel, channel->port, consumer);
  }
  check_placeholders(value, consumer);
  return constant_for(port.type, value, consumer);
}

TaskNode& container_node(const Task& task, const char* setting) {
  if (!task.node().is_container())
    refuse(task.node().described(), fmt::format("cannot have {}: it does not run a container", setting),
           "set it on the tasks inside");
  return task.node();
}

// A setting: a string in the cluster's format, or a value.
std::string setting(const Task& task, const TextOrValue& given, const char* what, const char* form,
                    const char* example) {
  const std::string consumer = fmt::format("{} of task {}", what, task.name());
  container_node(task, what);
  if (given.value()) {
    const Channel& channel = given.value()->channel();
    const ParameterType type = channel.port.type.type;
    if (type == ParameterType::kList || type == ParameterType::kStruct || type == ParameterType::kBoolean)
      refuse(consumer, fmt::format("cannot take {}: it must be a string or number", channel.described()));
    check_channel(task, given.value()->graph(), channel, channel.port, consumer);
  } else if (!std::regex_match(given.text(), std::regex(form))) {
    refuse(consumer, fmt::format("cannot be \"{}\"", given.text()), fmt::format("write it like {}", example));
  }
  return given.text();
}

constexpr const char* kCores = "([0-9]*[.])?[0-9]+m?";
constexpr const char* kBytes = "[0-9]+(E|Ei|P|Pi|T|Ti|G|Gi|M|Mi|K|Ki)?";

Task add_after(const Task& task, std::variant<const TaskNode*, const graph::Group*> upstream) {
  task.node().after.push_back(upstream);
  return task;
}

}  // namespace

FinalStatus final_status(const Task& task) {
  return {task.graph(), &task.node()};
}

const std::string& Task::name() const {
  return node_->name;
}

Task Task::set(const std::string& input, const TaskInput& value) const {
  const std::string consumer = node_->described(input);
  const auto found = node_->inputs.find(input);
  if (found == node_->inputs.end())
    refuse(consumer, "is not an input of its component", suggestion(input, node_->inputs));
  const Port& port = found->second;
  graph::Argument argument;
  if (const auto* constant = std::get_if<json>(&value.value())) {
    argument = checked_constant(*this, *constant, port, consumer);
  } else if (const auto* parameter = std::get_if<Value>(&value.value())) {
    check_channel(*this, parameter->graph(), parameter->channel(), port, consumer);
    argument = &parameter->channel();
  } else if (const auto* artifact = std::get_if<Artifact>(&value.value())) {
    check_channel(*this, artifact->graph(), artifact->channel(), port, consumer);
    argument = &artifact->channel();
  } else {
    const auto& status = std::get<FinalStatus>(value.value());
    if (port.type.type != ParameterType::kTaskFinalStatus)
      refuse(consumer, fmt::format("cannot take the final status of task {}", status.task->name),
             "declare the input with task_final_status()");
    if (status.graph != graph_ || status.task->parent != node_->parent || status.task == node_)
      refuse(consumer, fmt::format("cannot take the final status of task {}, which is not in the same group",
                                   status.task->name));
    argument = graph::FinalStatusOf{status.task};
  }
  node_->arguments[input] = std::move(argument);
  return *this;
}

namespace {

// The channel of an output: one for each task and output, shared by all consumers.
const Channel* output_channel(const Task& task, const std::string& name, bool artifact) {
  TaskNode& node = task.node();
  const char* what = artifact ? "artifact" : "parameter";
  std::string wanted = name;
  if (wanted.empty()) {
    int count = 0;
    for (const auto& [other, port] : node.outputs) {
      if (port.is_artifact != artifact) continue;
      wanted = other;
      ++count;
    }
    if (count != 1)
      refuse(node.described(), fmt::format("has {} output {}s: name one", count, what),
             names(node.outputs, artifact));
  }
  const auto found = node.outputs.find(wanted);
  if (found == node.outputs.end())
    refuse(node.described(), fmt::format("has no output \"{}\"", wanted), suggestion(wanted, node.outputs));
  if (found->second.is_artifact != artifact)
    refuse(node.described(),
           fmt::format("has the output \"{}\" as {}, not as {}", wanted, found->second.type_name(),
                       artifact ? "an artifact" : "a parameter"),
           artifact ? "take it with output()" : "take it with artifact()");
  if (node.exit_of != nullptr)
    refuse(node.described(),
           fmt::format("is the exit task of {}, whose outputs cannot be used", node.exit_of->name));
  const Channel*& channel = node.output_channels[wanted];
  if (channel == nullptr)
    channel = task.graph()->add(
        {.kind = Channel::Kind::kTaskOutput, .name = wanted, .port = found->second, .task = &node});
  return channel;
}

}  // namespace

Value Task::output(const std::string& name) const {
  return Value(graph_, output_channel(*this, name, false));
}
Artifact Task::artifact(const std::string& name) const {
  return Artifact(graph_, output_channel(*this, name, true));
}

Task Task::after(const Task& other) const {
  if (other.graph() != graph_)
    refuse(node_->described(), fmt::format("cannot wait for task {} of another pipeline", other.name()));
  if (other.node_ == node_) refuse(node_->described(), "cannot wait for itself");
  if (other.node_->exit_of != nullptr)
    refuse(
        node_->described(),
        fmt::format("cannot wait for task {}, the exit task of {}", other.name(), other.node_->exit_of->name),
        "wait for the exit handler");
  return add_after(*this, other.node_);
}

Task Task::after(const ExitHandler& other) const {
  if (other.graph() != graph_)
    refuse(node_->described(), fmt::format("cannot wait for {} of another pipeline", other.group().name));
  if (other.group().contains(node_->parent))
    refuse(node_->described(), fmt::format("cannot wait for {}, which contains it", other.group().name));
  return add_after(*this, &other.group());
}

Task Task::ignore_upstream_failure() const {
  for (const auto& [name, argument] : node_->arguments) {
    const auto* channel = std::get_if<const Channel*>(&argument);
    if (channel == nullptr || node_->inputs.at(name).optional) continue;
    // Values from outside the group are available, because the group has waited for them.
    const Channel& given = **channel;
    const bool may_lack = given.kind == Channel::Kind::kCollected ||
                          (given.kind == Channel::Kind::kOneOf && given.group->parent == node_->parent) ||
                          (given.kind == Channel::Kind::kTaskOutput && given.task->parent == node_->parent);
    if (may_lack)
      refuse(node_->described(name),
             fmt::format("takes {}, which is missing if the task failed", given.described()),
             "tasks that ignore upstream failures need defaults for inputs from other tasks");
  }
  node_->ignores_upstream_failure = true;
  return *this;
}

Task Task::caching(bool enabled) const {
  node_->caching = enabled;
  return *this;
}

Task Task::cache_key(const std::string& key) const {
  node_->cache_key = key;
  return *this;
}

Task Task::retry(const RetryOptions& options) const {
  const std::string what = "retries of task " + name();
  if (options.count < 0) refuse(what, fmt::format("cannot be {} times", options.count));
  if (!(options.factor >= 0)) refuse(what, fmt::format("cannot back off by the factor {}", options.factor));
  node_->retry = graph::Retry{options.count, options.backoff, options.factor, options.max_backoff};
  for (const std::string& span : {options.backoff, options.max_backoff})
    if (!std::regex_match(span, std::regex("\\s*[0-9]+\\s*[smhdw][a-z]*\\s*")))
      refuse(what, fmt::format("cannot wait \"{}\"", span), "write it like 30s, 5m, 1 hour");
  return *this;
}

Task Task::display_name(const std::string& name) const {
  node_->display_name = name;
  return *this;
}

Task Task::cpu_limit(const TextOrValue& cores) const {
  node_->resources.cpu_limit = setting(*this, cores, "CPU limit", kCores, "2, 0.5 or 500m");
  return *this;
}

Task Task::cpu_request(const TextOrValue& cores) const {
  node_->resources.cpu_request = setting(*this, cores, "CPU request", kCores, "2, 0.5 or 500m");
  return *this;
}

Task Task::memory_limit(const TextOrValue& bytes) const {
  node_->resources.memory_limit = setting(*this, bytes, "memory limit", kBytes, "4Gi or 500M");
  return *this;
}

Task Task::memory_request(const TextOrValue& bytes) const {
  node_->resources.memory_request = setting(*this, bytes, "memory request", kBytes, "4Gi or 500M");
  return *this;
}

Task Task::accelerator(const TextOrValue& type, const TextOrValue& count) const {
  node_->resources.accelerator_type =
      setting(*this, type, "accelerator type", "[A-Za-z0-9._/-]+", "nvidia.com/gpu");
  node_->resources.accelerator_count = setting(*this, count, "number of accelerators", "[0-9]+", "1");
  return *this;
}

Task Task::env(const std::string& name, const std::string& value) const {
  const std::string what = fmt::format("environment variable \"{}\" of task {}", name, this->name());
  container_node(*this, "environment variables");
  if (name.empty() || name.find('=') != std::string::npos)
    refuse(what, "is not a valid name of an environment variable");
  if (!channels_in(*graph_, value, what).empty() || !ir::placeholders_in(value).empty())
    refuse(what, "must not be a value that is known only at run time: the backend takes it literally",
           "pass it as an argument, or from a secret or config map");
  for (ir::EnvVar& variable : node_->env) {
    if (variable.name != name) continue;
    variable.value = value;
    return *this;
  }
  node_->env.push_back({.name = name, .value = value});
  return *this;
}

Task Task::image(const TextOrValue& image) const {
  node_->image = setting(*this, image, "image", "\\S+", "registry/name@sha256:…");
  return *this;
}

}  // namespace kfp::dsl
