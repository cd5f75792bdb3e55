#include "kfp/dsl/pipeline.h"

#include <fmt/format.h>

#include <atomic>
#include <regex>

#include "core/error.h"
#include "kfp/dsl/detail/graph.h"
#include "kfp/dsl/detail/refuse.h"
#include "kfp/ir/placeholder.h"

namespace kfp::dsl {
namespace {

using graph::Channel;
using graph::Graph;
using graph::Group;
using graph::TaskNode;
using nlohmann::json;

ir::PipelineConfig config_of(const std::string& name, const PipelineOptions& options) {
  ir::PipelineConfig config;
  const auto seconds = [&](const std::optional<int>& given, const char* what) -> std::optional<std::int32_t> {
    if (given && *given < 0) refuse("pipeline " + name, fmt::format("cannot have {} of {} s", what, *given));
    return given && *given > 0 ? given : std::nullopt;
  };
  config.resource_ttl_on_completion = seconds(options.ttl_seconds, "a time to live");
  config.resource_ttl_on_success = seconds(options.ttl_seconds_success, "a time to live");
  config.resource_ttl_on_failure = seconds(options.ttl_seconds_failure, "a time to live");
  config.active_deadline_seconds = seconds(options.timeout_seconds, "a timeout");
  if (!options.workspace) return config;
  const std::string& size = options.workspace->size;
  if (!std::regex_match(size, std::regex("(0|[1-9][0-9]*)([.][0-9]+)?(Ki|Mi|Gi|Ti|Pi|Ei|K|M|G|T|P|E)?")))
    refuse("pipeline " + name, fmt::format("cannot have a workspace of \"{}\"", size), "write it like 100Gi");
  config.workspace = ir::WorkspaceConfig{
      .size = size,
      .kubernetes = ir::KubernetesWorkspaceConfig{ir::JsonObject{options.workspace->pvc_spec_patch}}};
  return config;
}

TaskNode* add_node(Graph& graph, const std::string& component, TaskNode node) {
  std::string name = kubernetes_name(component);
  if (name.empty()) name = "task";
  node.name = unique_name(name, graph.tasks_by_name);
  node.parent = graph.current;
  graph.tasks.push_back(std::move(node));
  TaskNode* added = &graph.tasks.back();
  graph.tasks_by_name[added->name] = added;
  graph.current->tasks.push_back(added);
  return added;
}

Group* add_group(Graph& graph, Group* parent, Group::Kind kind, const std::string& name) {
  constexpr const char* kNames[] = {"pipeline", "condition", "condition-branches", "for-loop",
                                    "exit-handler"};
  auto group = std::make_unique<Group>();
  group->kind = kind;
  group->name = fmt::format("{}-{}", kNames[static_cast<int>(kind)], graph.next_group_id());
  group->display_name = name;
  group->parent = parent;
  parent->groups.push_back(std::move(group));
  return parent->groups.back().get();
}

// Runs `body` so that it adds to `group`, and restores the current group even if it throws.
void fill(Graph& graph, Group* group, const std::function<void()>& body) {
  Group* outer = std::exchange(graph.current, group);
  try {
    body();
  } catch (...) {
    graph.current = outer;
    throw;
  }
  graph.current = outer;
  if (group->tasks.empty() && group->groups.empty())
    refuse(group->name, "has no tasks", "add some in its body, or leave it out");
}

graph::Comparison comparison_of(const std::shared_ptr<Graph>& graph, const Condition& condition) {
  const std::string consumer = "a condition in " + graph->current->described();
  const auto side = [&](const Operand& operand) -> graph::Comparison::Operand {
    if (const auto* constant = std::get_if<json>(&operand.value())) return *constant;
    const auto& value = std::get<Value>(operand.value());
    const Channel& channel = value.channel();
    if (value.graph() != graph)
      refuse(consumer,
             fmt::format("cannot take {} of pipeline {}", channel.described(), value.graph()->name));
    check_visible(*graph, channel, *graph->current, consumer);
    const ParameterType type = channel.port.type.type;
    if (type == ParameterType::kList || type == ParameterType::kStruct)
      refuse(consumer, fmt::format("cannot compare {}", channel.described()),
             "compare strings, numbers and Booleans");
    return &channel;
  };
  return {.op = condition.op, .left = side(condition.left), .right = side(condition.right)};
}

void check_name(const std::string& name, const std::string& what) {
  if (!std::regex_match(name, std::regex("[A-Za-z][A-Za-z0-9 _-]*")))
    refuse(what, fmt::format("\"{}\" is not a valid name", name),
           "use letters, digits, spaces, _ and -, and begin with a letter");
}

void declare_input(Graph& graph, const std::string& name, Port port) {
  const std::string what = fmt::format("input \"{}\" of pipeline {}", name, graph.name);
  check_name(name, what);
  if (!port.is_artifact && port.type.type == ParameterType::kUnspecified) refuse(what, "has no type");
  const auto [at, added] = graph.inputs.emplace(name, std::move(port));
  if (!added)
    refuse(what, fmt::format("is declared twice, first as {}", at->second.type_name()),
           "give each input its own name");
}

void declare_output(const std::shared_ptr<Graph>& graph, const std::string& name,
                    const std::shared_ptr<Graph>& of, const Channel& channel, const OutputOptions& options) {
  const std::string what = fmt::format("output \"{}\" of pipeline {}", name, graph->name);
  check_name(name, what);
  if (graph->outputs.contains(name))
    refuse(what, fmt::format("is declared twice, first as {}", graph->outputs.at(name).channel->described()));
  if (of != graph) refuse(what, fmt::format("cannot be {} of pipeline {}", channel.described(), of->name));
  if (channel.kind == Channel::Kind::kPipelineInput)
    refuse(what, fmt::format("cannot be {}: outputs come from tasks", channel.described()));
  Port port = options.port.value_or(channel.port);
  if (!options.description.empty()) port.description = options.description;
  port.default_value.reset();
  port.optional = false;
  const std::string why = mismatch(channel.port, port);
  if (!why.empty()) refuse(what, fmt::format("cannot be {}: {}", channel.described(), why));
  check_visible(*graph, channel, graph->root, what);
  graph->outputs[name] = {&channel, port};
}

// True if `inner` is or contains `graph`.
bool holds(const Graph& inner, const Graph& graph) {
  if (&inner == &graph) return true;
  for (const TaskNode& node : inner.tasks)
    if (const auto* nested = std::get_if<std::shared_ptr<Graph>>(&node.body))
      if (holds(**nested, graph)) return true;
  return false;
}

}  // namespace

Pipeline::Pipeline(const std::string& name, const PipelineOptions& options)
    : graph_(std::make_shared<Graph>()) {
  static std::atomic<std::uint64_t> next_uid{1};
  if (!std::regex_match(name, std::regex("[a-z0-9][a-z0-9-]{0,127}")))
    refuse("pipeline", fmt::format("\"{}\" is not a valid pipeline name", name),
           "use at most 128 lower case letters, digits and dashes, and do not begin with a dash");
  graph_->uid = next_uid++;
  graph_->name = name;
  graph_->description = options.description;
  graph_->display_name = options.display_name;
  graph_->pipeline_root = options.pipeline_root;
  graph_->config = config_of(name, options);
}

const std::string& Pipeline::name() const {
  return graph_->name;
}

Value Pipeline::parameter(const std::string& name, ValueType type, ParameterOptions options) {
  declare_input(*graph_, name, dsl::parameter(std::move(type), std::move(options)));
  return Value(
      graph_,
      graph_->add({.kind = Channel::Kind::kPipelineInput, .name = name, .port = graph_->inputs.at(name)}));
}

Artifact Pipeline::artifact_input(const std::string& name, const std::string& type, ArtifactOptions options) {
  declare_input(*graph_, name, artifact(type, std::move(options)));
  return Artifact(
      graph_,
      graph_->add({.kind = Channel::Kind::kPipelineInput, .name = name, .port = graph_->inputs.at(name)}));
}

Task Pipeline::task(const ContainerComponent& component) {
  ContainerComponent ready = checked(component);
  TaskNode node{.inputs = ready.inputs, .outputs = ready.outputs, .body = ready};
  return Task(graph_, add_node(*graph_, component.name, std::move(node)));
}

Task Pipeline::task(const Pipeline& pipeline) {
  const Graph& inner = *pipeline.graph_;
  if (holds(inner, *graph_))
    refuse("pipeline " + graph_->name,
           fmt::format("cannot contain pipeline {}, which contains it", inner.name));
  TaskNode node{.inputs = inner.inputs, .body = pipeline.graph_};
  for (const auto& [name, output] : inner.outputs) node.outputs[name] = output.port;
  return Task(graph_, add_node(*graph_, inner.name, std::move(node)));
}

Task Pipeline::task(const ir::Pipeline& compiled) {
  const std::string name = compiled.spec.pipeline_info ? compiled.spec.pipeline_info->name.value_or("") : "";
  if (!compiled.spec.root || !compiled.spec.root->dag)
    refuse("a compiled pipeline", "has no root with tasks");
  // A component file is a pipeline of one container, and becomes that container.
  const auto own = compiled.spec.components.find("comp-" + kubernetes_name(name));
  if (compiled.spec.components.size() == 1 && own != compiled.spec.components.end() &&
      own->second.executor_label)
    return task(component_from_ir(compiled));
  TaskNode node{.inputs = inputs_from_ir(*compiled.spec.root),
                .outputs = outputs_from_ir(*compiled.spec.root),
                .body = graph::CompiledPipeline{compiled}};
  return Task(graph_, add_node(*graph_, name, std::move(node)));
}

namespace {

// Metadata of an importer: each value in it becomes an input of the importer.
class ImporterMetadata {
 public:
  ImporterMetadata(const std::shared_ptr<Graph>& graph, TaskNode& node) : graph_(graph), node_(node) {}

  json convert(const json& metadata) {
    return replace_tokens(*graph_, metadata, [this](const Channel& channel) { return input_for(channel); });
  }

 private:
  std::string input_for(const Channel& channel) {
    for (const auto& [name, argument] : node_.arguments)
      if (name != "uri" && std::get<const Channel*>(argument) == &channel) return input(name);
    const std::string name = unique_name("metadata", node_.inputs);
    node_.inputs[name] = dsl::parameter(channel.port.type.type == ParameterType::kUnspecified
                                            ? ValueType(ParameterType::kString)
                                            : channel.port.type);
    node_.arguments[name] = &channel;
    return input(name);
  }

  std::shared_ptr<Graph> graph_;
  TaskNode& node_;
};

}  // namespace

Task Pipeline::importer(const ImporterOptions& options) {
  for (const Group* group = graph_->current; group != nullptr; group = group->parent)
    if (group->kind == Group::Kind::kCondition)
      refuse(
          "importer of " + options.uri.text(),
          fmt::format("cannot be inside {}: the backend imports even if the condition is false", group->name),
          "import at the top, and use the artifact in the branch");
  const Port port = artifact(options.type, {.version = options.version});
  if (options.download_to_workspace && !graph_->config.workspace)
    refuse("importer of " + options.uri.text(),
           fmt::format("needs a workspace, which pipeline {} does not have", graph_->name),
           "set PipelineOptions::workspace");
  graph::ImporterSource source{
      .artifact = port, .reimport = options.reimport, .download_to_workspace = options.download_to_workspace};
  TaskNode node{.inputs = {{"uri", dsl::parameter()}}, .outputs = {{"artifact", port}}};
  if (!options.uri.value()) source.constant_uri = options.uri.text();
  for (const Channel* channel : channels_in(*graph_, options.metadata, "metadata of an importer"))
    check_visible(*graph_, *channel, *graph_->current, "metadata of an importer");
  if (!options.metadata.empty()) source.metadata = ImporterMetadata(graph_, node).convert(options.metadata);
  node.body = std::move(source);
  Task task(graph_, add_node(*graph_, "importer", std::move(node)));
  if (options.uri.value())
    task.set("uri", *options.uri.value());
  else
    task.set("uri", options.uri.text());
  return task;
}

Branches Pipeline::if_(const Condition& condition, const std::function<void()>& body,
                       const std::string& name) {
  graph::Comparison comparison = comparison_of(graph_, condition);
  Group* group = add_group(*graph_, graph_->current, Group::Kind::kCondition, name);
  group->conditions.push_back(std::move(comparison));
  fill(*graph_, group, body);
  return Branches(graph_, group);
}

namespace {

// Adds a branch after `last`. The second branch moves both into a group of branches, which takes the id of
// the first, as in the SDK.
Group* add_branch(Graph& graph, Group* last, const char* what, const std::string& name) {
  Group* around = last->parent;
  if (around->kind != Group::Kind::kBranches) {
    if (around != graph.current || around->groups.back().get() != last)
      refuse(last->name, fmt::format("cannot have {} here", what), "add it right after the if_");
    Group* branches = add_group(graph, around, Group::Kind::kBranches, "");
    const std::string id = last->name.substr(last->name.rfind('-') + 1);
    last->name = "condition-" + branches->name.substr(branches->name.rfind('-') + 1);
    branches->name = "condition-branches-" + id;
    // It replaces the branch in the list of groups.
    std::unique_ptr<Group> wrapper = std::move(around->groups.back());
    around->groups.pop_back();
    branches->groups.push_back(std::move(around->groups.back()));
    around->groups.back() = std::move(wrapper);
    last->parent = branches;
    around = branches;
  } else {
    if (around->has_else) refuse(around->name, fmt::format("cannot have {} after its else_", what));
    if (around->parent != graph.current || around->parent->groups.back().get() != around ||
        around->groups.back().get() != last)
      refuse(around->name, fmt::format("cannot have {} here", what), "add it right after the last branch");
  }
  Group* group = add_group(graph, around, Group::Kind::kCondition, name);
  for (const auto& branch : around->groups) {
    if (branch.get() == group || branch->conditions.empty()) continue;
    graph::Comparison negated = branch->conditions.back();
    negated.negated = true;
    group->conditions.push_back(std::move(negated));
  }
  return group;
}

}  // namespace

Branches Branches::elif_(const Condition& condition, const std::function<void()>& body,
                         const std::string& name) const {
  graph::Comparison comparison = comparison_of(graph_, condition);
  Group* group = add_branch(*graph_, last_, "elif_", name);
  group->conditions.push_back(std::move(comparison));
  fill(*graph_, group, body);
  return Branches(graph_, group);
}

void Branches::else_(const std::function<void()>& body, const std::string& name) const {
  Group* group = add_branch(*graph_, last_, "else_", name);
  group->parent->has_else = true;
  fill(*graph_, group, body);
}

namespace {

void check_parallelism(const Graph& graph, int parallelism) {
  if (parallelism < 0)
    refuse("a loop in " + graph.current->described(),
           fmt::format("cannot run {} iterations at once", parallelism), "0 = no limit");
}

// The type of a constant, including the type of a list's or struct's first element.
ValueType type_of(const json& value) {
  if (value.is_string()) return ParameterType::kString;
  if (value.is_boolean()) return ParameterType::kBoolean;
  if (value.is_number_float()) return ParameterType::kNumberDouble;
  if (value.is_number()) return ParameterType::kNumberInteger;
  if (value.is_array()) return ParameterType::kList;
  if (value.is_object())
    return value.empty() ? ValueType(ParameterType::kStruct) : struct_of(type_of(*value.begin()));
  return {};
}

}  // namespace

void Pipeline::for_each(const json& items, const std::function<void(Value item)>& body,
                        const LoopOptions& options) {
  const std::string what = "a loop in " + graph_->current->described();
  if (!items.is_array() || items.empty())
    refuse(what, fmt::format("cannot iterate over {}", items.dump()), "give a list of at least one item");
  for (const json& item : items)
    if (type_of(item).type != type_of(items.front()).type || item.is_null())
      refuse(what, fmt::format("has items of different types: {} and {}", items.front().dump(), item.dump()));
  if (!channels_in(*graph_, items, what).empty())
    refuse(what, "has run-time values among its constant items");
  constant_for(ParameterType::kList, items, what);
  check_parallelism(*graph_, options.parallelism);
  // The item has its own id, before the loop's.
  const std::string item_name = fmt::format("loop-item-param-{}", graph_->next_group_id());
  Group* group = add_group(*graph_, graph_->current, Group::Kind::kLoop, options.name);
  group->raw_items = items;
  group->parallelism = options.parallelism;
  group->item = graph_->add({.kind = Channel::Kind::kLoopItem,
                             .name = item_name,
                             .port = {.type = type_of(items.front())},
                             .group = group});
  fill(*graph_, group, [&] { body(Value(graph_, group->item)); });
}

void Pipeline::for_each(const Value& items, const std::function<void(Value item)>& body,
                        const LoopOptions& options) {
  const std::string what = "a loop in " + graph_->current->described();
  const Channel& channel = items.channel();
  if (items.graph() != graph_)
    refuse(what,
           fmt::format("cannot iterate over {} of pipeline {}", channel.described(), items.graph()->name));
  const ParameterType type = channel.port.type.type;
  const bool unknown_field = channel.kind == Channel::Kind::kItemField;
  if (type != ParameterType::kList && !unknown_field)
    refuse(what, fmt::format("cannot iterate over {}", channel.described()), "it must be a LIST");
  check_visible(*graph_, channel, *graph_->current, what);
  check_parallelism(*graph_, options.parallelism);
  Group* group = add_group(*graph_, graph_->current, Group::Kind::kLoop, options.name);
  group->items = &channel;
  group->parallelism = options.parallelism;
  group->item =
      graph_->add({.kind = Channel::Kind::kLoopItem,
                   .port = {.type = type == ParameterType::kList ? channel.port.type.item() : ValueType()},
                   .group = group});
  fill(*graph_, group, [&] { body(Value(graph_, group->item)); });
}

ExitHandler Pipeline::exit_handler(const Task& exit_task, const std::function<void()>& body,
                                   const std::string& name) {
  TaskNode& node = exit_task.node();
  if (exit_task.graph() != graph_)
    refuse(node.described(), fmt::format("does not belong to pipeline {}", graph_->name));
  if (graph_->current != &graph_->root)
    refuse("the exit handler with " + node.described(),
           fmt::format("cannot be inside {}", graph_->current->name),
           "put exit handlers at the top of a pipeline, which may be a nested one");
  if (node.exit_of != nullptr)
    refuse(node.described(), fmt::format("is already the exit task of {}", node.exit_of->name));
  if (node.parent != &graph_->root)
    refuse(node.described(), fmt::format("cannot be an exit task: it is inside {}", node.parent->name));
  if (!node.output_channels.empty()) refuse(node.described(), "cannot be an exit task: its outputs are used");
  if (!node.after.empty()) refuse(node.described(), "cannot be an exit task: it waits for other tasks");
  for (const auto& [input, argument] : node.arguments) {
    std::vector<const Channel*> channels;
    if (const auto* channel = std::get_if<const Channel*>(&argument)) channels.push_back(*channel);
    if (const auto* constant = std::get_if<json>(&argument))
      channels = channels_in(*graph_, *constant, node.described(input));
    for (const Channel* channel : channels)
      if (channel->kind != Channel::Kind::kPipelineInput)
        refuse(node.described(input),
               fmt::format("cannot take {}: exit tasks take constants and inputs of the pipeline",
                           channel->described()));
  }
  std::erase(graph_->root.tasks, &node);
  Group* group = add_group(*graph_, &graph_->root, Group::Kind::kExitHandler, name);
  group->exit_task = &node;
  node.exit_of = group;
  fill(*graph_, group, body);
  return ExitHandler(graph_, group);
}

void Pipeline::output(const std::string& name, const Value& value, const OutputOptions& options) {
  declare_output(graph_, name, value.graph(), value.channel(), options);
}

void Pipeline::output(const std::string& name, const Artifact& artifact, const OutputOptions& options) {
  declare_output(graph_, name, artifact.graph(), artifact.channel(), options);
}

}  // namespace kfp::dsl
