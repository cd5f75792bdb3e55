#include "kfp/local/detail/executor_output.h"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <set>

#include "core/error.h"
#include "core/staged_output.h"
#include "core/text.h"
#include "kfp/ir/detail/proto_json.h"
#include "kfp/local/detail/launcher.h"
#include "kfp/local/detail/parameters.h"

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

// Values by name, of which none may be null.
struct NamedValues {
  std::map<std::string, json> entries;

  void read(const json& value, core::JsonPlace& place) {
    core::read_json<ir::ProtoJson>(entries, value, place);
    for (const auto& [name, entry] : entries) {
      const core::JsonPlace::Step step(place, name);
      if (entry.is_null()) place.fail("is null");
    }
  }
};

// RuntimeArtifact
struct ArtifactMessage {
  std::optional<std::string> name, uri, custom_path;
  NamedValues metadata;
  ir::JsonObject type, properties, custom_properties;  // which the launcher does not look at

  template <class V>
  void describe(V& v) {
    v("name", name);
    v("uri", uri);
    v("customPath", custom_path);
    v("metadata", metadata);
    v("type", type);
    v("properties", properties);
    v("customProperties", custom_properties);
  }
};

struct ArtifactListMessage {
  std::vector<ArtifactMessage> artifacts;

  template <class V>
  void describe(V& v) {
    v("artifacts", artifacts);
  }
};

struct ExecutorOutputMessage {
  NamedValues parameter_values;
  std::map<std::string, ArtifactListMessage> artifacts;
  ir::JsonObject parameters;  // of schema 2.0; the launcher does not look at it

  template <class V>
  void describe(V& v) {
    v("parameterValues", parameter_values);
    v("artifacts", artifacts);
    v("parameters", parameters);
  }
};

bool is_inside(const fs::path& path, const fs::path& folder) {
  const fs::path relative = path.lexically_normal().lexically_relative(folder.lexically_normal());
  return !relative.empty() && *relative.begin() != ".." && relative != ".";
}

}  // namespace

ExecutorOutput parse_executor_output(const std::string& text, const fs::path& file) {
  const auto message = ir::from_proto_json<ExecutorOutputMessage>(parse_json(text, file, ""), file);
  ExecutorOutput output{.parameters = message.parameter_values.entries};
  for (const auto& [name, list] : message.artifacts) {
    std::vector<ExecutorOutput::Artifact>& artifacts = output.artifacts[name];
    for (const ArtifactMessage& artifact : list.artifacts)
      artifacts.push_back(
          {.uri = artifact.custom_path.value_or("").empty() ? artifact.uri : artifact.custom_path,
           .metadata = artifact.metadata.entries});
  }
  return output;
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
  const std::string word = core::trimmed(text);
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
