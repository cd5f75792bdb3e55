#include "kfp/local/executor_output.h"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <set>

#include "core/error.h"
#include "core/staged_output.h"
#include "kfp/local/launcher.h"
#include "kfp/local/parameters.h"

namespace kfp::local {
namespace fs = std::filesystem;
using nlohmann::json;
namespace {

// Parses JSON as protobuf does: rejects repeated keys, which nlohmann drops silently.
json parse_json(const std::string& text, const fs::path& file, const std::string& field) {
  std::vector<std::set<std::string>> keys;
  std::string repeated;
  const auto watch = [&](int, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
      repeated = parsed.get<std::string>();
    return true;
  };
  try {
    json value = json::parse(text, watch);
    if (repeated.empty()) return value;
  } catch (const json::exception& error) {
    // Omits nlohmann's prefix "[json.exception.…] ".
    const std::string what = error.what();
    const std::size_t begin = what.find("] ");
    throw core::InputError(
        {.message = "is not JSON: " + what.substr(begin == std::string::npos ? 0 : begin + 2),
         .file = file,
         .field = field});
  }
  throw core::InputError({.message = "has \"" + repeated + "\" twice", .file = file, .field = field});
}

class Reader {
 public:
  explicit Reader(const fs::path& file) : file_(file) {}

  ExecutorOutput read(const json& value) {
    ExecutorOutput output;
    for (const auto& [key, member] : object(value, "")) {
      if (key == "parameterValues" || key == "parameter_values") {
        for (const auto& [name, parameter] : object(member, key)) {
          if (parameter.is_null()) fail(key + "." + name, "must not be null");
          output.parameters[name] = parameter;
        }
      } else if (key == "artifacts") {
        for (const auto& [name, list] : object(member, key))
          output.artifacts[name] = artifacts(list, key + "." + name);
      } else if (key == "parameters") {
        object(member, key);  // field of schema 2.0, which the launcher ignores
      } else {
        unknown(key, "");
      }
    }
    return output;
  }

 private:
  std::vector<ExecutorOutput::Artifact> artifacts(const json& value, const std::string& place) {
    std::vector<ExecutorOutput::Artifact> list;
    for (const auto& [key, member] : object(value, place)) {
      if (key != "artifacts") unknown(key, place);
      if (!member.is_array()) fail(place + "." + key, "must be a list");
      for (const json& item : member)
        list.push_back(artifact(item, fmt::format("{}.{}[{}]", place, key, list.size())));
    }
    return list;
  }

  ExecutorOutput::Artifact artifact(const json& value, const std::string& place) {
    ExecutorOutput::Artifact artifact;
    std::optional<std::string> custom_path;
    for (const auto& [key, member] : object(value, place)) {
      const std::string field = place + "." + key;
      if (key == "name") {
        text(member, field);
      } else if (key == "uri") {
        artifact.uri = text(member, field);
      } else if (key == "customPath" || key == "custom_path") {
        custom_path = text(member, field);
      } else if (key == "metadata") {
        for (const auto& [name, entry] : object(member, field)) {
          if (entry.is_null()) fail(field + "." + name, "must not be null");
          artifact.metadata[name] = entry;
        }
      } else if (key == "type" || key == "properties" || key == "customProperties" ||
                 key == "custom_properties") {
        object(member, field);
      } else {
        unknown(key, place);
      }
    }
    if (custom_path && !custom_path->empty()) artifact.uri = custom_path;
    return artifact;
  }

  const json::object_t& object(const json& value, const std::string& place) {
    if (!value.is_object()) fail(place, fmt::format("must be an object, not {}", value.type_name()));
    return value.get_ref<const json::object_t&>();
  }
  std::string text(const json& value, const std::string& place) {
    if (!value.is_string()) fail(place, fmt::format("must be a string, not {}", value.type_name()));
    return value.get<std::string>();
  }
  [[noreturn]] void unknown(const std::string& key, const std::string& place) {
    fail(place, "has an unknown field \"" + key + "\"");
  }
  [[noreturn]] void fail(const std::string& place, const std::string& message) {
    throw core::InputError({.message = message, .file = file_, .field = place});
  }

  fs::path file_;
};

std::string trimmed(const std::string& text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

bool is_inside(const fs::path& path, const fs::path& folder) {
  const fs::path relative = path.lexically_normal().lexically_relative(folder.lexically_normal());
  return !relative.empty() && *relative.begin() != ".." && relative != ".";
}

}  // namespace

ExecutorOutput parse_executor_output(const std::string& text, const fs::path& file) {
  return Reader(file).read(parse_json(text, file, ""));
}

json parse_output_parameter(const std::string& text, ir::ParameterType type, const std::string& name,
                            const fs::path& file) {
  const auto fail = [&](const std::string& what) {
    std::string shown = text.substr(0, 40);
    throw core::InputError(
        {.message =
             fmt::format("{} ({}) {}", json(shown).dump(-1, ' ', false, json::error_handler_t::replace),
                         ir::to_string(type), what),
         .file = file,
         .field = name});
  };
  const std::string word = trimmed(text);
  switch (type) {
    case ir::ParameterType::kNumberInteger: {
      std::int64_t value = 0;
      const char* begin = word.data() + (word.starts_with('+') ? 1 : 0);
      const auto end = std::from_chars(begin, word.data() + word.size(), value);
      if (end.ec != std::errc() || end.ptr != word.data() + word.size()) fail("must be an integer");
      return value;
    }
    case ir::ParameterType::kNumberDouble: {
      char* end = nullptr;
      const double value = std::strtod(word.c_str(), &end);
      if (word.empty() || end != word.c_str() + word.size()) fail("must be a number");
      if (!std::isfinite(value)) fail("must be finite");
      return value;
    }
    case ir::ParameterType::kBoolean: {
      static const std::set<std::string> kTrue = {"1", "t", "T", "true", "True", "TRUE"};
      static const std::set<std::string> kFalse = {"0", "f", "F", "false", "False", "FALSE"};
      if (kTrue.contains(word)) return true;
      if (!kFalse.contains(word)) fail("must be true or false");
      return false;
    }
    case ir::ParameterType::kList: {
      json value = parse_json(text, file, name);
      if (!value.is_array()) fail("must be a list");
      return convert_parameter(value, type, name);
    }
    case ir::ParameterType::kStruct: {
      json value = parse_json(text, file, name);
      if (!value.is_object()) fail("must be an object");
      return convert_parameter(value, type, name);
    }
    default:
      // Records and commands need the string in UTF-8.
      try {
        (void)json(text).dump();
      } catch (const json::exception&) {
        fail("must be UTF-8");
      }
      return text;
  }
}

Values collect_outputs(const ir::ComponentSpec& component, const json& executor_input, const fs::path& root) {
  const json& promised = executor_input["outputs"];
  const fs::path file = promised["outputFile"].get<std::string>();
  ExecutorOutput said;
  if (fs::exists(file)) said = parse_executor_output(core::read_file(file), file);

  Values outputs;
  if (!component.output_definitions) return outputs;
  for (const auto& [name, spec] : component.output_definitions->parameters) {
    const ir::ParameterType type = spec.parameter_type.value_or(ir::ParameterType::kString);
    if (const auto found = said.parameters.find(name); found != said.parameters.end()) {
      outputs.parameters[name] = convert_parameter(found->second, type, "output parameter " + name);
      continue;
    }
    const fs::path source = promised["parameters"][name]["outputFile"].get<std::string>();
    if (!fs::exists(source))
      throw core::InputError({.message = "the task did not write output parameter " + name,
                              .file = source,
                              .hint = "write it to this file or to the executor output"});
    outputs.parameters[name] = parse_output_parameter(core::read_file(source), type, name, source);
  }

  for (const auto& [name, spec] : component.output_definitions->artifacts) {
    const json& given = promised["artifacts"][name]["artifacts"][0];
    const Artifact blank{.name = name,
                         .uri = given["uri"].get<std::string>(),
                         .type = given["type"],
                         .metadata = given["metadata"]};
    std::vector<Artifact>& list = outputs.artifacts[name];
    const auto found = said.artifacts.find(name);
    if (found == said.artifacts.end() || (found->second.empty() && !spec.is_artifact_list.value_or(false))) {
      list.push_back(blank);
    } else {
      for (const ExecutorOutput::Artifact& entry : found->second) {
        Artifact& artifact = list.emplace_back(blank);
        if (entry.uri && !entry.uri->empty()) artifact.uri = *entry.uri;
        artifact.metadata.update(entry.metadata);
        if (!spec.is_artifact_list.value_or(false)) break;
      }
    }
    for (Artifact& artifact : list) {
      const std::optional<fs::path> path = local_path(artifact.uri);
      if (path && !is_inside(*path, root))
        throw core::InputError(
            {.message = fmt::format("output {} is outside the task's folder {}", name, root.string()),
             .file = *path,
             .hint = "write it to the path given to the task, or below"});
      measure(artifact);
    }
  }
  return outputs;
}

}  // namespace kfp::local
