#include "kfp/dsl/detail/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/error.h"

namespace kfp::dsl::graph {
namespace {

using nlohmann::json;

// Tokens are delimited by a control character that no string of a pipeline contains.
constexpr char kMark = '\x1f';

// Calls `visit` with each channel in a string and the begin and end of its token.
template <class Visit>
void for_each_token(const Graph& graph, const std::string& text, const std::string& consumer,
                    const Visit& visit) {
  for (std::size_t begin = text.find(kMark); begin != std::string::npos; begin = text.find(kMark, begin)) {
    const std::size_t end = text.find(kMark, begin + 1);
    std::uint64_t uid = 0;
    std::size_t id = 0;
    const char* stop = text.data() + std::min(end, text.size());
    const auto [colon, bad_uid] = std::from_chars(text.data() + begin + 1, stop, uid);
    const bool split = end != std::string::npos && bad_uid == std::errc() && colon != stop && *colon == ':';
    const auto [rest, bad_id] = split ? std::from_chars(colon + 1, stop, id)
                                      : std::from_chars_result{stop, std::errc::invalid_argument};
    if (bad_id != std::errc() || rest != stop)
      throw core::UsageError(
          {.message = "has the control character U+001F, which marks values", .field = consumer});
    if (uid != graph.uid || id >= graph.channels.size())
      throw core::UsageError(
          {.message = "has a value of another pipeline",
           .field = consumer,
           .hint = "pass it in as a parameter of the inner pipeline, or out as its output"});
    visit(graph.channels[id], begin, end + 1);
    begin = end + 1;
  }
}

void collect(const Graph& graph, const json& value, const std::string& consumer,
             std::vector<const Channel*>& found) {
  if (value.is_string()) {
    for_each_token(graph, value.get_ref<const std::string&>(), consumer,
                   [&](const Channel& channel, std::size_t, std::size_t) {
                     if (std::find(found.begin(), found.end(), &channel) == found.end())
                       found.push_back(&channel);
                   });
  } else if (value.is_structured()) {
    for (const auto& [key, element] : value.items()) {
      if (value.is_object()) collect(graph, key, consumer, found);
      collect(graph, element, consumer, found);
    }
  }
}

std::string replaced(const Graph& graph, const std::string& text,
                     const std::function<std::string(const Channel&)>& replacement) {
  std::string result;
  std::size_t done = 0;
  for_each_token(graph, text, "a string", [&](const Channel& channel, std::size_t begin, std::size_t end) {
    result += text.substr(done, begin - done) + replacement(channel);
    done = end;
  });
  return result + text.substr(done);
}

}  // namespace

std::string Channel::full_name() const {
  switch (kind) {
    case Kind::kPipelineInput:
      return name;
    case Kind::kTaskOutput:
      return task->name + "-" + name;
    case Kind::kLoopItem:
      return group->items == nullptr ? name : group->items->full_name() + "-loop-item";
    case Kind::kItemField:
      return of->full_name() + "-subvar-" + name;
    case Kind::kCollected:
      return of->full_name();
    case Kind::kOneOf:
      return group->name + "-" + name;
  }
  return name;
}

std::string Channel::described() const {
  switch (kind) {
    case Kind::kPipelineInput:
      return fmt::format("input \"{}\" of the pipeline ({})", name, port.type_name());
    case Kind::kTaskOutput:
      return fmt::format("output \"{}\" of task {} ({})", name, task->name, port.type_name());
    case Kind::kLoopItem:
      return fmt::format("the item of {} ({})", group->name, port.type_name());
    case Kind::kItemField:
      return fmt::format("field \"{}\" of {}", name, of->described());
    case Kind::kCollected:
      return "collected " + of->described();
    case Kind::kOneOf:
      return fmt::format("one of {} outputs of {} ({})", choices.size(), group->name, port.type_name());
  }
  return name;
}

bool Group::contains(const Group* other) const {
  for (; other != nullptr; other = other->parent)
    if (other == this) return true;
  return false;
}

std::string Group::described() const {
  return kind == Kind::kPipeline ? "the pipeline" : name;
}

std::string TaskNode::described(const std::string& input) const {
  const auto found = inputs.find(input);
  return fmt::format("input \"{}\" of task {}{}", input, name,
                     found == inputs.end() ? "" : fmt::format(" ({})", found->second.type_name()));
}

const Channel* Graph::add(Channel channel) {
  channel.id = channels.size();
  channels.push_back(std::move(channel));
  return &channels.back();
}

const Group* home_of(const Channel& channel, const Graph& graph) {
  switch (channel.kind) {
    case Channel::Kind::kPipelineInput:
      return &graph.root;
    case Channel::Kind::kTaskOutput:
      return channel.task->parent;
    case Channel::Kind::kLoopItem:
      return channel.group;
    case Channel::Kind::kItemField:
      return home_of(*channel.of, graph);
    case Channel::Kind::kCollected:
      return &graph.root;  // it leaves its loops
    case Channel::Kind::kOneOf:
      return channel.group->parent;
  }
  return &graph.root;
}

namespace {

// Checks a collected output, which can leave loops, but not branches or exit handlers.
void check_collected(const Graph& graph, const Channel& channel, const Group& scope,
                     const std::string& consumer) {
  const Group* outermost = nullptr;
  bool in_loop = false;
  for (const Group* group = home_of(*channel.of, graph); group != nullptr && !group->contains(&scope);
       group = group->parent) {
    outermost = group;
    in_loop = in_loop || group->kind == Group::Kind::kLoop;
  }
  if (!in_loop)
    throw core::UsageError(
        {.message = fmt::format("cannot take {}: it must be inside a loop, and the consumer outside",
                                channel.described()),
         .field = consumer,
         .hint = "pass the output itself"});
  if (outermost->kind != Group::Kind::kLoop)
    throw core::UsageError({.message = fmt::format("cannot take {}: its loop is inside {}, which may not run",
                                                   channel.described(), outermost->name),
                            .field = consumer,
                            .hint = fmt::format("use it inside {}", outermost->name)});
}

}  // namespace

void check_visible(const Graph& graph, const Channel& channel, const Group& scope,
                   const std::string& consumer) {
  if (channel.kind == Channel::Kind::kCollected) return check_collected(graph, channel, scope, consumer);
  const Group* home = home_of(channel, graph);
  if (home->contains(&scope)) return;
  std::string hint = "use it inside " + home->described();
  if (home->kind == Group::Kind::kLoop && channel.kind == Channel::Kind::kTaskOutput)
    hint += ", or collected(…)";
  if (home->kind == Group::Kind::kCondition) hint += ", or one_of(…) the branches";
  throw core::UsageError({.message = fmt::format("cannot take {}: it exists only inside {}",
                                                 channel.described(), home->described()),
                          .field = consumer,
                          .hint = hint});
}

std::string token(const Graph& graph, const Channel& channel) {
  return fmt::format("{}{}:{}{}", kMark, graph.uid, channel.id, kMark);
}

std::vector<const Channel*> channels_in(const Graph& graph, const json& value, const std::string& consumer) {
  std::vector<const Channel*> found;
  collect(graph, value, consumer, found);
  return found;
}

json replace_tokens(const Graph& graph, const json& value,
                    const std::function<std::string(const Channel&)>& text) {
  if (value.is_string()) return replaced(graph, value.get_ref<const std::string&>(), text);
  if (value.is_array()) {
    json result = json::array();
    for (const json& element : value) result.push_back(replace_tokens(graph, element, text));
    return result;
  }
  if (value.is_object()) {
    json result = json::object();
    for (const auto& [key, element] : value.items())
      result[replaced(graph, key, text)] = replace_tokens(graph, element, text);
    return result;
  }
  return value;
}

}  // namespace kfp::dsl::graph
