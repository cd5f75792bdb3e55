#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string_view>

#include "core/error.h"
#include "core/staged_output.h"
#include "kfp/yaml/detail/yaml_scalar.h"
#include "kfp/yaml/utf8.h"
#include "kfp/yaml/yaml.h"

namespace kfp {
namespace {

using nlohmann::json;

// Builds JSON from the parser's events, so that limits are checked before they are exceeded.
class Builder final : public YAML::EventHandler {
 public:
  Builder(const std::filesystem::path& source, const YamlLimits& limits,
          std::vector<YamlAmbiguity>* ambiguities)
      : source_(source), limits_(limits), ambiguities_(ambiguities) {}

  std::vector<json> take() { return std::move(documents_); }

  void OnDocumentStart(const YAML::Mark&) override {
    stack_.clear();
    anchors_.clear();
    root_ = nullptr;
  }
  void OnDocumentEnd() override { documents_.push_back(std::move(root_)); }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (wants_key()) fail(mark, "has a key that is not a name");
    add(mark, nullptr, 1, anchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    if (wants_key()) {
      Level& level = stack_.back();
      const bool quoted = tag == "!";
      if (text == "<<" && !quoted) fail(mark, "has a merge key (<<)", "write the fields themselves");
      if (level.value.contains(text)) fail(mark, fmt::format("has \"{}\" twice", text));
      if (anchor != YAML::NullAnchor) keep(anchor, text, 1);
      level.key = text;
      if (!quoted && ambiguities_ != nullptr) note(mark, differing_key(text), text);
      return;
    }
    add(mark, scalar(mark, tag, text), 1, anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) fail(mark, "has an alias inside the value that it refers to");
    const auto& [value, nodes, depth] = found->second;
    if (wants_key()) {
      if (!value.is_string()) fail(mark, "has a key that is not a name");
      if (stack_.back().value.contains(value)) fail(mark, fmt::format("has {} twice", value.dump()));
      stack_.back().key = value.get<std::string>();
      return;
    }
    check_depth(mark, depth);
    check_nodes(mark, nodes);  // before the copy, which could exhaust the memory
    add(mark, value, nodes, YAML::NullAnchor, depth);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    start(mark, tag, "seq", anchor, json::array());
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    start(mark, tag, "map", anchor, json::object());
  }
  void OnMapEnd() override { end(); }

 private:
  struct Level {
    json value;
    std::optional<std::string> key;  // key of the next value, in a mapping
    YAML::Mark mark;
    YAML::anchor_t anchor = YAML::NullAnchor;
    std::size_t nodes = 1;
    int depth = 1;  // depth of this value: 1 + the depth of its deepest child
  };
  struct Anchored {
    json value;
    std::size_t nodes = 1;
    int depth = 0;
  };

  bool wants_key() const { return !stack_.empty() && stack_.back().value.is_object() && !stack_.back().key; }

  json scalar(const YAML::Mark& mark, const std::string& tag, const std::string& text) {
    if (tag == "!" || tag == "tag:yaml.org,2002:str") return text;
    if (ambiguities_ != nullptr) note(mark, differing_readings(text), text);
    json value = ambiguities_ != nullptr ? server_scalar(text) : core_scalar(text);
    if (tag == "?" || tag.empty()) return value;
    if ((tag == "tag:yaml.org,2002:int" && value.is_number_integer()) ||
        (tag == "tag:yaml.org,2002:float" && value.is_number()) ||
        (tag == "tag:yaml.org,2002:bool" && value.is_boolean()) ||
        (tag == "tag:yaml.org,2002:null" && value.is_null()))
      return tag.ends_with("float") ? json(value.get<double>()) : value;
    fail(mark, fmt::format("has the tag {}, which does not fit \"{}\" or is unknown", tag, text));
  }

  // The current place: "root.dag.tasks.train", "[2]".
  std::string place() const {
    std::string text;
    for (const Level& level : stack_) {
      if (level.value.is_array())
        text += fmt::format("[{}]", level.value.size());
      else
        text += (text.empty() ? "" : ".") + level.key.value_or("");
    }
    return text;
  }

  void note(const YAML::Mark& mark, std::string message, const std::string& text) {
    if (message.empty()) return;
    const bool word = text.size() == 1 && std::string_view("yYnN").find(text) != std::string_view::npos;
    ambiguities_->push_back({.document = documents_.size(),
                             .place = place(),
                             .line = static_cast<std::size_t>(mark.line) + 1,
                             .message = std::move(message),
                             .harmless = word});
  }

  void start(const YAML::Mark& mark, const std::string& tag, std::string_view kind, YAML::anchor_t anchor,
             json value) {
    if (wants_key()) fail(mark, "has a key that is not a name");
    if (tag != "?" && tag != "!" && !tag.empty() && tag != fmt::format("tag:yaml.org,2002:{}", kind))
      fail(mark, fmt::format("has the tag {}, which is unknown", tag));
    check_depth(mark, 1);
    check_nodes(mark, 1);
    stack_.push_back({.value = std::move(value), .key = {}, .mark = mark, .anchor = anchor});
  }
  void end() {
    Level level = std::move(stack_.back());
    stack_.pop_back();
    nodes_ -= level.nodes;  // add() counts them again
    add(level.mark, std::move(level.value), level.nodes, level.anchor, level.depth);
  }

  void add(const YAML::Mark& mark, json value, std::size_t nodes, YAML::anchor_t anchor, int depth = 0) {
    check_nodes(mark, nodes);
    nodes_ += nodes;
    if (anchor != YAML::NullAnchor) keep(anchor, value, nodes, depth);
    if (stack_.empty()) {
      root_ = std::move(value);
      return;
    }
    Level& level = stack_.back();
    level.nodes += nodes;
    level.depth = std::max(level.depth, depth + 1);
    if (level.value.is_array()) {
      level.value.push_back(std::move(value));
    } else {
      level.value[*level.key] = std::move(value);
      level.key.reset();
    }
  }

  void keep(YAML::anchor_t anchor, const json& value, std::size_t nodes, int depth = 0) {
    anchors_[anchor] = {.value = value, .nodes = nodes, .depth = depth};
    // The copy costs memory, too: it is counted, so that nested anchors cannot multiply copies.
    nodes_ += nodes;
  }

  void check_depth(const YAML::Mark& mark, int depth) const {
    if (static_cast<int>(stack_.size()) + depth > limits_.max_depth)
      fail(mark, fmt::format("is nested deeper than {} levels", limits_.max_depth));
  }
  void check_nodes(const YAML::Mark& mark, std::size_t nodes) const {
    if (nodes_ + nodes > limits_.max_nodes)
      fail(mark, fmt::format("has more than {} values", limits_.max_nodes),
           "do aliases refer to each other?");
  }
  [[noreturn]] void fail(const YAML::Mark& mark, std::string message, std::string hint = "") const {
    throw core::InputError({.message = std::move(message),
                            .file = source_,
                            .field = fmt::format("line {}", mark.line + 1),
                            .hint = std::move(hint)});
  }

  const std::filesystem::path& source_;
  const YamlLimits& limits_;
  std::vector<YamlAmbiguity>* ambiguities_;  // null: read as YAML 1.2 says
  std::vector<json> documents_;
  std::vector<Level> stack_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  json root_;
  std::size_t nodes_ = 0;
};

void check_text(const std::string& text, const std::filesystem::path& source, const YamlLimits& limits) {
  if (text.size() > limits.max_bytes)
    throw core::InputError(
        {.message = fmt::format("is larger than {} MiB", limits.max_bytes >> 20), .file = source});
  std::size_t line = 1;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Character character = decode_utf8(text, at);
    if (!character.valid || character.code == 0)
      throw core::InputError({.message = "is not valid UTF-8",
                              .file = source,
                              .field = fmt::format("line {}", line),
                              .hint = "the file must be YAML or JSON"});
    if (character.code == '\n') ++line;
    at += character.bytes;
  }
}

// JSON is YAML except for escapes of surrogate pairs, which yaml-cpp rejects, so JSON is parsed by a JSON
// parser. Nullopt if `text` is not JSON.
std::optional<json> parse_json(const std::string& text, const std::filesystem::path& source,
                               const YamlLimits& limits) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos || (text[first] != '{' && text[first] != '[')) return std::nullopt;
  std::vector<std::set<std::string>> keys;
  std::size_t nodes = 0;
  const auto check = [&](int depth, json::parse_event_t event, json& parsed) {
    const bool starts =
        event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
    if (starts && depth >= limits.max_depth)
      throw core::InputError(
          {.message = fmt::format("is nested deeper than {} levels", limits.max_depth), .file = source});
    if ((starts || event == json::parse_event_t::value) && ++nodes > limits.max_nodes)
      throw core::InputError(
          {.message = fmt::format("has more than {} values", limits.max_nodes), .file = source});
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
      throw core::InputError({.message = fmt::format("has {} twice", parsed.dump()), .file = source});
    return true;
  };
  try {
    return json::parse(text, check);
  } catch (const json::exception&) {
    return std::nullopt;  // the YAML parser reports the error
  }
}

}  // namespace

std::vector<json> parse_yaml(const std::string& text, const std::filesystem::path& source,
                             const YamlLimits& limits, std::vector<YamlAmbiguity>* ambiguities) {
  check_text(text, source, limits);
  if (std::optional<json> value = parse_json(text, source, limits)) return {std::move(*value)};
  Builder builder(source, limits, ambiguities);
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& problem) {
    throw core::InputError({.message = problem.msg,
                            .file = source,
                            .field = fmt::format("line {}", problem.mark.line + 1),
                            .hint = "the file must be YAML or JSON"});
  }
  return builder.take();
}

json read_yaml(const std::filesystem::path& file) {
  const YamlLimits limits;
  std::error_code error;
  if (const auto size = std::filesystem::file_size(file, error); !error && size > limits.max_bytes)
    throw core::InputError(
        {.message = fmt::format("is larger than {} MiB, too large for parameters", limits.max_bytes >> 20),
         .file = file});
  std::vector<json> documents = parse_yaml(core::read_file(file), file, limits);
  if (documents.size() > 1)
    throw core::InputError({.message = fmt::format("has {} documents", documents.size()),
                            .file = file,
                            .hint = "one is expected"});
  return documents.empty() ? json() : std::move(documents[0]);
}

}  // namespace kfp
