#include "kfp/dsl/container_component.h"

#include <fmt/format.h>

#include "core/error.h"
#include "kfp/component/field.h"
#include "kfp/dsl/detail/refuse.h"
#include "kfp/ir/placeholder.h"

namespace kfp::dsl {
namespace {

using nlohmann::json;
using Kind = ir::Placeholder::Kind;

[[noreturn]] void refuse_component(const ContainerComponent& component, const std::string& where,
                                   std::string message, std::string hint = "") {
  throw core::UsageError(
      {.message = std::move(message),
       .field = fmt::format("component {}{}", component.name, where.empty() ? "" : ": " + where),
       .hint = std::move(hint)});
}

std::string of_artifact(const char* direction, const std::string& name, const std::string& property) {
  return fmt::format("{{{{$.{}.artifacts['{}']{}}}}}", direction, name, property);
}

std::string metadata_of(const std::string& key) {
  return key.empty() ? ".metadata" : fmt::format(".metadata['{}']", key);
}

// The object if the whole string is {"Concat": …} or {"IfPresent": …}; else null.
json structured(const std::string& text) {
  if (!text.starts_with("{\"")) return nullptr;
  json value = json::parse(text, nullptr, false);
  if (!value.is_object() || value.size() != 1) return nullptr;
  return value.contains("IfPresent") || value.contains("Concat") ? value : json(nullptr);
}

// Joins a Concat into one string, if it has only strings (and more Concat).
std::string folded(const ContainerComponent& component, const std::string& where, const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_object() || !value.contains("Concat") || !value["Concat"].is_array())
    refuse_component(component, where, "has an IfPresent inside a Concat, which the backend does not resolve",
                     "make it a separate argument with if_present");
  std::string text;
  for (const json& part : value["Concat"]) text += folded(component, where, part);
  return text;
}

void check_placeholder(const ContainerComponent& component, const std::string& where,
                       const ir::Placeholder& placeholder) {
  const auto check = [&](const Ports& ports, const char* what, bool artifact) {
    const auto found = ports.find(placeholder.name);
    if (found == ports.end())
      refuse_component(component, where,
                       fmt::format("{} names the {} \"{}\", which it does not have", placeholder.text, what,
                                   placeholder.name),
                       suggestion(placeholder.name, ports));
    if (found->second.is_artifact != artifact)
      refuse_component(
          component, where,
          fmt::format("{} takes the {} \"{}\" for {}, which is {}", placeholder.text, what, placeholder.name,
                      artifact ? "an artifact" : "a parameter", found->second.type_name()));
  };
  switch (placeholder.kind) {
    case Kind::kExecutorInput:
    case Kind::kWorkspacePath:
      return;
    case Kind::kInputParameter:
      return check(component.inputs, "input", false);
    case Kind::kInputArtifact:
      return check(component.inputs, "input", true);
    case Kind::kOutputParameter:
      return check(component.outputs, "output", false);
    case Kind::kOutputArtifact:
      return check(component.outputs, "output", true);
    case Kind::kOutputFile:
      refuse_component(component, where, placeholder.text + " is not replaced by the backend",
                       "pass executor_input() and read outputs.outputFile");
    case Kind::kRun:
      refuse_component(component, where,
                       placeholder.text + " is replaced only if it is the whole value of an input",
                       "give the component an input parameter and set it to that value");
    case Kind::kUnknown:
      refuse_component(component, where, placeholder.text + " is unknown to the backend");
  }
}

void check_if_present(const ContainerComponent& component, const std::string& where, const std::string& text,
                      const json& value) {
  if (!value.is_object() || !value.contains("InputName") || !value["InputName"].is_string() ||
      !value.contains("Then"))
    refuse_component(component, where, "IfPresent must have InputName and Then");
  const auto name = value["InputName"].get<std::string>();
  const auto found = component.inputs.find(name);
  if (found == component.inputs.end())
    refuse_component(component, where,
                     fmt::format("if_present names the input \"{}\", which it does not have", name),
                     suggestion(name, component.inputs));
  if (found->second.is_artifact)
    refuse_component(
        component, where,
        fmt::format("if_present of the artifact \"{}\": the backend knows only parameters", name),
        "use an optional parameter");
  if (!found->second.optional)
    refuse_component(component, where, fmt::format("if_present of \"{}\", which is always passed", name),
                     "declare it with .optional = true");
  if (text.find("$.outputs") != std::string::npos)
    refuse_component(component, where, "if_present with an output is skipped by the backend",
                     "pass the output in a separate argument");
}

std::string checked_argument(const ContainerComponent& component, const std::string& where,
                             const std::string& given) {
  std::string text = given;
  const json value = structured(text);
  if (value.is_object() && value.contains("Concat")) {
    text = folded(component, where, value);
  } else if (value.is_object()) {
    check_if_present(component, where, text, value["IfPresent"]);
  }
  const bool whole = value.is_object() && value.contains("IfPresent");
  if ((!whole && text.find("{\"IfPresent\":") != std::string::npos) ||
      (whole && text.find("\"Concat\"") != std::string::npos))
    refuse_component(component, where, "if_present inside a longer string is not resolved by the backend",
                     "make it a separate argument");
  for (const ir::Placeholder& placeholder : ir::placeholders_in(text))
    check_placeholder(component, where, placeholder);
  return text;
}

}  // namespace

std::string input(const std::string& name) {
  return fmt::format("{{{{$.inputs.parameters['{}']}}}}", name);
}
std::string input_path(const std::string& name) {
  return of_artifact("inputs", name, ".path");
}
std::string input_uri(const std::string& name) {
  return of_artifact("inputs", name, ".uri");
}
std::string input_metadata(const std::string& name, const std::string& key) {
  return of_artifact("inputs", name, metadata_of(key));
}
std::string input_artifacts(const std::string& name) {
  return of_artifact("inputs", name, "");
}
std::string output_file(const std::string& name) {
  return fmt::format("{{{{$.outputs.parameters['{}'].output_file}}}}", name);
}
std::string output_path(const std::string& name) {
  return of_artifact("outputs", name, ".path");
}
std::string output_uri(const std::string& name) {
  return of_artifact("outputs", name, ".uri");
}
std::string output_metadata(const std::string& name, const std::string& key) {
  return of_artifact("outputs", name, metadata_of(key));
}
std::string executor_input() {
  return "{{$}}";
}

std::string concat(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += part;
  return text;
}

std::string if_present(const std::string& input, const std::vector<std::string>& then,
                       const std::vector<std::string>& otherwise) {
  // The keys are in the SDK's order, because the strings are compared.
  std::string text =
      fmt::format(R"({{"IfPresent": {{"InputName": {}, "Then": {})", python_json(input), python_json(then));
  if (!otherwise.empty()) text += ", \"Else\": " + python_json(otherwise);
  return text + "}}";
}

ContainerComponent checked(ContainerComponent component) {
  if (kubernetes_name(component.name).empty())
    throw core::UsageError({.message = fmt::format("\"{}\" is not a valid component name", component.name),
                            .hint = "use letters or digits"});
  if (component.image.empty()) refuse_component(component, "", "has no image");
  for (const Ports* ports : {&component.inputs, &component.outputs}) {
    for (const auto& [name, port] : *ports) {
      if (name.empty() || name.find_first_of("'\\{}\n") != std::string::npos)
        refuse_component(component, "",
                         fmt::format("\"{}\" is not a valid name of an input or output", name));
      if (!port.is_artifact && port.type.type == ParameterType::kUnspecified)
        refuse_component(component, name, "has no type");
    }
  }
  for (const auto& [name, port] : component.outputs) {
    if (component.inputs.contains(name))
      refuse_component(component, name, "is the name of both an input and an output");
    if (port.optional || port.default_value)
      refuse_component(component, name, "is an output, which cannot be optional or have a default");
    if (port.is_list)
      refuse_component(component, name, "is a list of artifacts, which only pipelines can produce",
                       "collect them from a loop");
  }
  for (std::size_t i = 0; i < component.command.size(); ++i) {
    const std::string where = fmt::format("command[{}]", i);
    component.command[i] = checked_argument(component, where, component.command[i]);
    if (i > 0) continue;
    for (const ir::Placeholder& placeholder : ir::placeholders_in(component.command[0]))
      if (placeholder.kind != Kind::kExecutorInput)
        refuse_component(component, where,
                         placeholder.text + " is not replaced in the first word of a command",
                         "pass it as an argument");
  }
  for (std::size_t i = 0; i < component.args.size(); ++i)
    component.args[i] = checked_argument(component, fmt::format("args[{}]", i), component.args[i]);
  return component;
}

bool needs_input(const ContainerComponent& component, const std::string& input) {
  for (const auto* texts : {&component.command, &component.args}) {
    for (const std::string& text : *texts) {
      if (structured(text).is_object()) continue;
      for (const ir::Placeholder& placeholder : ir::placeholders_in(text))
        if ((placeholder.kind == Kind::kInputParameter || placeholder.kind == Kind::kInputArtifact) &&
            placeholder.name == input)
          return true;
    }
  }
  return false;
}

namespace {

Port port_of(const std::optional<ir::ArtifactTypeSchema>& type, const std::optional<bool>& list,
             const std::optional<std::string>& description) {
  const ir::ArtifactTypeSchema schema = type.value_or(ir::ArtifactTypeSchema{});
  return {.is_artifact = true,
          .schema_title = schema.schema_title.value_or("system.Artifact"),
          .schema_version = schema.schema_version.value_or("0.0.1"),
          .is_list = list.value_or(false),
          .description = description.value_or("")};
}

}  // namespace

Ports inputs_from_ir(const ir::ComponentSpec& component) {
  Ports ports;
  if (!component.input_definitions) return ports;
  for (const auto& [name, spec] : component.input_definitions->parameters)
    ports[name] = {.type = spec.parameter_type.value_or(ParameterType::kUnspecified),
                   .default_value = spec.default_value,
                   .optional = spec.is_optional.value_or(spec.default_value.has_value()),
                   .description = spec.description.value_or("")};
  for (const auto& [name, spec] : component.input_definitions->artifacts) {
    ports[name] = port_of(spec.artifact_type, spec.is_artifact_list, spec.description);
    ports[name].optional = spec.is_optional.value_or(false);
  }
  return ports;
}

Ports outputs_from_ir(const ir::ComponentSpec& component) {
  Ports ports;
  if (!component.output_definitions) return ports;
  for (const auto& [name, spec] : component.output_definitions->parameters)
    ports[name] = {.type = spec.parameter_type.value_or(ParameterType::kUnspecified),
                   .description = spec.description.value_or("")};
  for (const auto& [name, spec] : component.output_definitions->artifacts)
    ports[name] = port_of(spec.artifact_type, spec.is_artifact_list, spec.description);
  return ports;
}

ContainerComponent component_from_ir(const ir::Pipeline& component) {
  const ir::PipelineSpec& spec = component.spec;
  const std::string name = spec.pipeline_info ? spec.pipeline_info->name.value_or("") : "";
  const auto found = spec.components.find("comp-" + kubernetes_name(name));
  const ir::Executor* executor = nullptr;
  if (found != spec.components.end() && found->second.executor_label && spec.deployment_spec) {
    const auto labelled = spec.deployment_spec->executors.find(*found->second.executor_label);
    if (labelled != spec.deployment_spec->executors.end()) executor = &labelled->second;
  }
  if (executor == nullptr || !executor->container)
    throw core::InputError({.message = "is not a component with a container",
                            .field = name,
                            .hint = "add a compiled pipeline to another with Pipeline::task"});
  const ir::ComponentSpec& interface = found->second;
  return checked({.name = name,
                  .inputs = inputs_from_ir(interface),
                  .outputs = outputs_from_ir(interface),
                  .image = executor->container->image.value_or(""),
                  .command = executor->container->command,
                  .args = executor->container->args});
}

}  // namespace kfp::dsl
