#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <charconv>

#include "core/error.h"
#include "core/staged_output.h"
#include "kfp/component/component.h"

namespace kfp {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxBytes = 16 << 20;
constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxNodes = 1'000'000;  // after aliases are followed

// yaml-cpp parses recursively, so depth is checked on the text before it: flow brackets, and indentation of
// at least one column a level, with `- - -` and `? ?` chains on one line counted too.
void check_depth(const std::string& text, const std::filesystem::path& file) {
  int flow = 0;
  int line_depth = 0;
  bool at_start = true;
  for (const char c : text) {
    if (c == '\n') {
      line_depth = 0;
      at_start = true;
      continue;
    }
    if (at_start && (c == ' ' || c == '-' || c == '?'))
      ++line_depth;
    else
      at_start = false;
    if (c == '[' || c == '{') ++flow;
    if ((c == ']' || c == '}') && flow > 0) --flow;
    if (flow > kMaxDepth || line_depth > 4 * kMaxDepth)
      throw core::InputError(
          {.message = fmt::format("is nested deeper than {} levels", kMaxDepth), .file = file});
  }
}

json scalar(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return text;  // quoted
  if (text.empty() || text == "~" || text == "null") return nullptr;
  if (text == "true") return true;
  if (text == "false") return false;
  const char* begin = text.data() + (text[0] == '+' ? 1 : 0);
  const char* end = text.data() + text.size();
  std::int64_t integer = 0;
  if (auto [rest, error] = std::from_chars(begin, end, integer); rest == end && error == std::errc())
    return integer;
  std::uint64_t large = 0;
  if (auto [rest, error] = std::from_chars(begin, end, large); rest == end && error == std::errc())
    return large;
  double number = 0;
  if (auto [rest, error] = std::from_chars(begin, end, number); rest == end && error == std::errc())
    return number;
  return text;
}

class Converter {
 public:
  explicit Converter(const std::filesystem::path& file) : file_(file) {}

  json convert(const YAML::Node& node, int depth = 0) {
    if (depth > kMaxDepth) fail(node, fmt::format("is nested deeper than {} levels", kMaxDepth));
    if (++nodes_ > kMaxNodes) fail(node, "holds too many values (do aliases refer to each other?)");
    if (node.IsScalar()) return scalar(node);
    if (node.IsSequence()) {
      json list = json::array();
      for (const auto& element : node) list.push_back(convert(element, depth + 1));
      return list;
    }
    if (node.IsMap()) {
      json object = json::object();
      for (const auto& entry : node) {
        if (!entry.first.IsScalar()) fail(entry.first, "has a key that is not a name");
        const std::string& key = entry.first.Scalar();
        if (object.contains(key)) fail(entry.first, fmt::format("has \"{}\" twice", key));
        object[key] = convert(entry.second, depth + 1);
      }
      return object;
    }
    return nullptr;
  }

 private:
  [[noreturn]] void fail(const YAML::Node& node, const std::string& message) const {
    throw core::InputError(
        {.message = message, .file = file_, .field = fmt::format("line {}", node.Mark().line + 1)});
  }

  const std::filesystem::path& file_;
  std::size_t nodes_ = 0;
};

}  // namespace

json read_yaml(const std::filesystem::path& file) {
  std::error_code error;
  if (const auto size = std::filesystem::file_size(file, error); !error && size > kMaxBytes)
    throw core::InputError({.message = "is larger than 16 MiB, too large for parameters", .file = file});
  const std::string text = core::read_file(file);
  check_depth(text, file);
  try {
    return Converter(file).convert(YAML::Load(text));
  } catch (const YAML::Exception& problem) {
    throw core::InputError({.message = problem.msg,
                            .file = file,
                            .field = fmt::format("line {}", problem.mark.line + 1),
                            .hint = "the file must be YAML or JSON"});
  }
}

}  // namespace kfp
