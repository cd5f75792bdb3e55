#include "kfp/local/detail/launcher.h"

#include <fmt/format.h>

#include <functional>
#include <optional>

#include "core/error.h"
#include "core/hash.h"
#include "kfp/ir/placeholder.h"
#include "kfp/ir/value_text.h"

namespace kfp::local {
namespace fs = std::filesystem;
using nlohmann::json;
namespace {

json type_json(const std::optional<ir::ArtifactTypeSchema>& type) {
  json value = json::object();
  if (!type) return value;
  if (type->schema_title) value["schemaTitle"] = *type->schema_title;
  if (type->schema_uri) value["schemaUri"] = *type->schema_uri;
  if (type->instance_schema) value["instanceSchema"] = *type->instance_schema;
  if (type->schema_version) value["schemaVersion"] = *type->schema_version;
  return value;
}

[[noreturn]] void no_value(const std::string& name) {
  throw core::InputError({.message = "a command needs input " + name + ", which has no value",
                          .hint = "give it a value or a default, or use an if-present placeholder"});
}

class Command {
 public:
  explicit Command(const json& input) : input_(input), text_(ir::json_text(input, false)) {}

  std::string executor_input_only(const std::string& text) const {
    return substitute(text, [this](const ir::Placeholder& placeholder) -> std::optional<std::string> {
      if (placeholder.kind == ir::Placeholder::Kind::kExecutorInput) return whole();
      return std::nullopt;
    });
  }

  // Appends the arguments for an element of the IR: none, one or several.
  void append(const std::string& element, std::vector<std::string>& arguments) const {
    if (const json structure = structured(element); !structure.is_null())
      append(structure, arguments);
    else
      arguments.push_back(resolve(element));
  }

 private:
  // `{"Concat": …}` or `{"IfPresent": …}`; null if the string is something else.
  static json structured(const std::string& text) {
    const std::size_t begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string::npos || text[begin] != '{' || text.starts_with("{{$")) return nullptr;
    json value = json::parse(text, nullptr, false);
    if (value.is_object() && value.size() == 1 &&
        (value.begin().key() == "Concat" || value.begin().key() == "IfPresent"))
      return value;
    return nullptr;
  }

  void append(const json& element, std::vector<std::string>& arguments) const {
    if (element.is_null()) return;
    if (element.is_string()) return append(element.get_ref<const std::string&>(), arguments);
    if (element.is_array()) {
      for (const json& item : element) append(item, arguments);
      return;
    }
    if (element.is_object() && element.contains("Concat")) {
      std::vector<std::string> parts;
      append(element["Concat"], parts);
      arguments.push_back(fmt::format("{}", fmt::join(parts, "")));
      return;
    }
    if (element.is_object() && element.contains("IfPresent") && element["IfPresent"].is_object()) {
      const json& choice = element["IfPresent"];
      const json& name = choice.value("InputName", json());
      if (!name.is_string()) throw core::InputError({.message = "if-present must name an input"});
      return append(choice.value(is_present(name) ? "Then" : "Else", json()), arguments);
    }
    throw core::InputError({.message = "a command has " + element.dump() + ", which is not an argument"});
  }

  bool is_present(const std::string& name) const {
    const json& inputs = input_["inputs"];
    const auto value = inputs["parameterValues"].find(name);
    if (value != inputs["parameterValues"].end()) return !value->is_null();
    return inputs["artifacts"].contains(name);
  }

  std::string resolve(const std::string& text) const {
    return substitute(text, [this](const ir::Placeholder& placeholder) { return value_of(placeholder); });
  }

  std::optional<std::string> value_of(const ir::Placeholder& placeholder) const {
    using Kind = ir::Placeholder::Kind;
    const std::string& name = placeholder.name;
    const json& inputs = input_["inputs"];
    const json& outputs = input_["outputs"];
    switch (placeholder.kind) {
      case Kind::kExecutorInput:
        return whole();
      case Kind::kInputParameter: {
        const auto value = inputs["parameterValues"].find(name);
        if (value == inputs["parameterValues"].end() || value->is_null()) no_value(name);
        return parameter_text(*value);
      }
      case Kind::kInputArtifact: {
        const bool path = placeholder.access == ".path";
        if (!path && placeholder.access != ".uri") return std::nullopt;
        const auto list = inputs["artifacts"].find(name);
        if (list == inputs["artifacts"].end() || (*list)["artifacts"].empty()) no_value(name);
        return artifact_text((*list)["artifacts"][0], path);
      }
      case Kind::kOutputParameter:
        if (placeholder.access != ".output_file" || !outputs["parameters"].contains(name))
          return std::nullopt;
        return outputs["parameters"][name]["outputFile"].get<std::string>();
      case Kind::kOutputArtifact: {
        const bool path = placeholder.access == ".path";
        if ((!path && placeholder.access != ".uri") || !outputs["artifacts"].contains(name))
          return std::nullopt;
        return artifact_text(outputs["artifacts"][name]["artifacts"][0], path);
      }
      case Kind::kUnknown:
        // The driver fails in this case, too.
        if (placeholder.text.starts_with("{{$.inputs.parameters"))
          throw core::InputError({.message = "a command has " + placeholder.text + ", which is not an input",
                                  .hint = "use {{$.inputs.parameters['name']}}"});
        return std::nullopt;
      default:
        return std::nullopt;
    }
  }

  // The JSON of `{{$}}`, in which artifacts have their local paths.
  std::string whole() const {
    for (const auto& [name, list] : input_["inputs"]["artifacts"].items())
      for (const json& artifact : list["artifacts"]) artifact_text(artifact, true);
    return text_;
  }

  static std::string artifact_text(const json& artifact, bool as_path) {
    std::string uri = artifact.value("uri", "");
    if (!as_path) return uri;
    const std::optional<fs::path> path = local_path(uri);
    if (!path)
      throw core::InputError({.message = "the artifact is at " + uri + ", not on this machine",
                              .hint = "fetch it, and import its path"});
    return path->string();
  }

  const json& input_;
  std::string text_;  // the executor input as a string
};

}  // namespace

std::string substitute(std::string_view text, const Resolver& resolve) {
  std::string result;
  for (const ir::Placeholder& placeholder : ir::placeholders_in(text)) {
    const std::size_t begin = text.find(placeholder.text);
    result += text.substr(0, begin);
    const std::optional<std::string> value = resolve(placeholder);
    result += value ? *value : placeholder.text;
    text.remove_prefix(begin + placeholder.text.size());
  }
  return result += text;
}

json map_texts(const json& value, const std::function<std::string(const std::string&)>& text) {
  if (value.is_string()) return text(value.get_ref<const std::string&>());
  json result = value;
  if (value.is_array())
    for (json& item : result) item = map_texts(item, text);
  if (value.is_object()) {
    result = json::object();
    for (const auto& [key, item] : value.items()) {
      const std::string name = text(key);
      if (result.contains(name))
        throw core::InputError({.message = "two keys of a struct become \"" + name + "\""});
      result[name] = map_texts(item, text);
    }
  }
  return result;
}

std::string parameter_text(const json& value) {
  return ir::value_text(value);
}

json with_parameters(const json& value, const std::map<std::string, json>& parameters) {
  return map_texts(value, [&](const std::string& original) {
    return substitute(original, [&](const ir::Placeholder& placeholder) -> std::optional<std::string> {
      if (placeholder.kind != ir::Placeholder::Kind::kInputParameter) return std::nullopt;
      const auto found = parameters.find(placeholder.name);
      if (found == parameters.end() || found->second.is_null()) no_value(placeholder.name);
      return parameter_text(found->second);
    });
  });
}

json executor_input(const ir::ComponentSpec& component, const Values& inputs, const fs::path& root) {
  json parameters = json::object();
  json artifacts = json::object();
  for (const auto& [name, value] : inputs.parameters) parameters[name] = value;
  for (const auto& [name, list] : inputs.artifacts) {
    json& entries = artifacts[name]["artifacts"] = json::array();
    for (const Artifact& artifact : list) entries.push_back(artifact.to_json());
  }
  if (component.input_definitions)
    for (const auto& [name, spec] : component.input_definitions->parameters)
      if (spec.default_value && !parameters.contains(name)) parameters[name] = *spec.default_value;

  json outputs = {{"parameters", json::object()},
                  {"artifacts", json::object()},
                  {"outputFile", (root / ".executor_output.json").string()}};
  if (component.output_definitions) {
    for (const auto& [name, spec] : component.output_definitions->parameters)
      outputs["parameters"][name]["outputFile"] = (root / ".parameters" / name).string();
    for (const auto& [name, spec] : component.output_definitions->artifacts) {
      Artifact artifact{.name = name, .uri = (root / name).string(), .type = type_json(spec.artifact_type)};
      if (spec.metadata) artifact.metadata = spec.metadata->value;
      outputs["artifacts"][name]["artifacts"] = json::array({artifact.to_json()});
    }
  }
  return {{"inputs", {{"parameterValues", std::move(parameters)}, {"artifacts", std::move(artifacts)}}},
          {"outputs", std::move(outputs)}};
}

std::vector<std::string> command_line(const ir::Container& container, const json& executor_input) {
  const Command command(executor_input);
  std::vector<std::string> arguments;
  for (const std::string& element : container.command) {
    if (arguments.empty())
      arguments.push_back(command.executor_input_only(element));
    else
      command.append(element, arguments);
  }
  // The arguments without a command are for the entry point of the image, and name no program.
  if (arguments.empty() || arguments.front().empty())
    throw core::InputError({.message =
                                "the container has no command, and the entry point of its image is not "
                                "known here",
                            .hint = "name the program in `command`"});
  for (const std::string& element : container.args) command.append(element, arguments);
  for (const std::string& argument : arguments)
    if (argument.find('\0') != std::string::npos)
      throw core::InputError({.message = "an argument has a zero byte, which no program accepts"});
  return arguments;
}

void prepare_outputs(const json& executor_input, const fs::path& root) {
  std::error_code error;
  fs::remove_all(root, error);
  if (!error) fs::create_directories(root, error);
  if (!error && !executor_input["outputs"]["parameters"].empty())
    fs::create_directory(root / ".parameters", error);
  if (error)
    throw core::UnavailableError(
        {.message = "the folder for outputs cannot be created: " + error.message(), .file = root});
}

}  // namespace kfp::local
