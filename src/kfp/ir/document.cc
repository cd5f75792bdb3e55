#include "kfp/ir/document.h"

#include <fmt/format.h>

#include "core/error.h"
#include "core/staged_output.h"
#include "kfp/ir/detail/foreign.h"
#include "kfp/yaml/yaml.h"

namespace kfp::ir {
namespace {

using nlohmann::json;

constexpr YamlLimits kLimits = {.max_bytes = 32 << 20, .max_depth = 100, .max_nodes = 4'000'000};

// Name of a type in the comment of the Python SDK.
std::string comment_type(const std::optional<ParameterType>& type) {
  switch (type.value_or(ParameterType::kUnspecified)) {
    case ParameterType::kUnspecified:
      return "unknown";
    case ParameterType::kNumberDouble:
      return "float";
    case ParameterType::kNumberInteger:
      return "int";
    case ParameterType::kString:
      return "str";
    case ParameterType::kBoolean:
      return "bool";
    case ParameterType::kList:
      return "list";
    case ParameterType::kStruct:
      return "dict";
    case ParameterType::kTaskFinalStatus:
      return "PipelineTaskFinalStatus";
    case ParameterType::kTaskConfig:
      return "TaskConfig";
  }
  return "unknown";
}

// Removes line breaks, because no string may end the comment that contains it.
std::string one_line(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n')
      out += "\\n";
    else if (c == '\r')
      out += "\\r";
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    else
      out += c;
  }
  return out;
}

// A value in the notation of Python's repr().
std::string python_repr(const Value& value) {
  if (value.is_null()) return "None";
  if (value.is_boolean()) return value.get<bool>() ? "True" : "False";
  if (value.is_number_integer()) {
    // The SDK keeps all numbers as doubles.
    const json number = value.get<double>();
    return number.dump();
  }
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    const char quote =
        text.find('\'') != std::string::npos && text.find('"') == std::string::npos ? '"' : '\'';
    std::string escaped;
    for (const char c : text) {
      if (c == '\\' || c == quote) escaped += '\\';
      escaped += c;
    }
    return quote + one_line(escaped) + quote;
  }
  std::string out;
  if (value.is_array()) {
    for (const json& element : value) out += (out.empty() ? "" : ", ") + python_repr(element);
    return '[' + out + ']';
  }
  if (value.is_object()) {
    for (const auto& [name, element] : value.items())
      out += (out.empty() ? "" : ", ") + python_repr(name) + ": " + python_repr(element);
    return '{' + out + '}';
  }
  return value.dump();
}

template <class Parameters, class Artifacts>
std::string signature(const char* heading, const Parameters& parameters, const Artifacts& artifacts) {
  std::map<std::string, std::string> lines;
  for (const auto& entry : parameters) {
    const auto& parameter = entry.second;
    std::string line = comment_type(parameter.parameter_type);
    if constexpr (requires { parameter.default_value; }) {
      if (parameter.default_value) {
        const Value& value = *parameter.default_value;
        line +=
            fmt::format(" [Default: {}]", value.is_string() ? '\'' + one_line(value.get<std::string>()) + '\''
                                                            : python_repr(value));
      }
    }
    lines[entry.first] = std::move(line);
  }
  for (const auto& [name, artifact] : artifacts)
    lines[name] = artifact.artifact_type ? one_line(artifact.artifact_type->schema_title.value_or("")) : "";
  std::string text = fmt::format("# {}:\n", heading);
  for (const auto& [name, line] : lines) text += fmt::format("#    {}: {}\n", one_line(name), line);
  return text;
}

void check_object(const json& document, const std::filesystem::path& source, const char* which) {
  if (!document.is_object())
    throw core::InputError(
        {.message = fmt::format("the {} document must be a mapping", which), .file = source});
}

}  // namespace

Pipeline parse_pipeline(const std::string& text, const std::filesystem::path& source) {
  refuse_other_formats(text, source);
  std::vector<YamlAmbiguity> ambiguities;
  std::vector<json> documents = parse_yaml(text, source, kLimits, &ambiguities);
  // The server ignores documents without content, too: a file may end in `---`.
  std::erase_if(documents, [](const json& document) { return document.is_null(); });
  if (documents.empty())
    throw core::InputError(
        {.message = "is empty", .file = source, .hint = "a compiled pipeline is expected"});
  check_object(documents[0], source, "first");
  // A file may have any number of Kubernetes objects.
  if (documents.size() > 2 && !documents[0].contains("kind"))
    throw core::InputError({.message = fmt::format("has {} documents", documents.size()),
                            .file = source,
                            .hint = "a pipeline has one document, and a second one for platform settings"});
  refuse_other_kinds(documents[0], source);
  if (documents.size() == 1 && documents[0].contains("pipeline_spec")) {  // the format of runs
    json parts = std::move(documents[0]);
    documents = {parts["pipeline_spec"]};
    if (parts.contains("platform_spec")) documents.push_back(parts["platform_spec"]);
    for (const auto& [name, part] : parts.items())
      if (name != "pipeline_spec" && name != "platform_spec")
        throw core::InputError({.message = fmt::format("has an unknown field \"{}\"", name), .file = source});
  }
  // The server accepts them in any order.
  if (documents.size() == 2 && documents[0].contains("platforms") && !documents[0].contains("root"))
    std::swap(documents[0], documents[1]);
  check_object(documents[0], source, "first");
  Pipeline pipeline{.spec = pipeline_spec_from_json(documents[0], source), .platform = {}};
  if (documents.size() == 2) {
    check_object(documents[1], source, "second");
    pipeline.platform = platform_spec_from_json(documents[1], source);
  }
  for (YamlAmbiguity& ambiguity : ambiguities)
    pipeline.notes.push_back({.place = std::move(ambiguity.place),
                              .message = fmt::format("line {}: {}", ambiguity.line, ambiguity.message),
                              .harmless = ambiguity.harmless});
  return pipeline;
}

Pipeline read_pipeline(const std::filesystem::path& file) {
  std::error_code error;
  if (std::filesystem::is_directory(file, error))
    throw core::InputError(
        {.message = "is a folder", .file = file, .hint = "a compiled pipeline (YAML or JSON) is expected"});
  if (const auto size = std::filesystem::file_size(file, error); !error && size > kLimits.max_bytes)
    throw core::InputError({.message = fmt::format("is larger than {} MiB", kLimits.max_bytes >> 20),
                            .file = file,
                            .hint = "the server accepts no larger pipeline"});
  return parse_pipeline(core::read_file(file), file);
}

std::string comment_header(const PipelineSpec& spec) {
  const PipelineInfo info = spec.pipeline_info.value_or(PipelineInfo{});
  std::string text = "# PIPELINE DEFINITION\n";
  text += fmt::format("# Name: {}\n", one_line(info.name.value_or("")));
  if (const std::string description = info.description.value_or(""); !description.empty()) {
    std::string rest =
        description.ends_with('\n') ? description.substr(0, description.size() - 1) : description;
    const char* prefix = "# Description: ";
    while (true) {
      const std::size_t end = rest.find('\n');
      text += prefix + one_line(rest.substr(0, end)) + '\n';
      if (end == std::string::npos) break;
      rest.erase(0, end + 1);
      prefix = "#              ";
    }
  }
  if (!spec.root) return text;
  if (const auto& inputs = spec.root->input_definitions)
    text += signature("Inputs", inputs->parameters, inputs->artifacts);
  if (const auto& outputs = spec.root->output_definitions)
    text += signature("Outputs", outputs->parameters, outputs->artifacts);
  return text;
}

std::string to_yaml(const Pipeline& pipeline) {
  std::string text = comment_header(pipeline.spec) + kfp::to_yaml(to_json(pipeline.spec));
  if (pipeline.platform) text += "---\n" + kfp::to_yaml(to_json(*pipeline.platform));
  return text;
}

}  // namespace kfp::ir
