#include <algorithm>

#include "kfp/ir/detail/checks.h"

namespace kfp::ir::checks {
namespace {

using Kind = Placeholder::Kind;
using nlohmann::json;

void check_name(const Placeholder& placeholder, const ComponentSpec& component, const std::string& place,
                Findings& findings) {
  const auto unknown = [&](const char* what, const auto& known) {
    if (!known.contains(placeholder.name))
      findings.error(place,
                     fmt::format("{} names the {} \"{}\", which the component does not have",
                                 placeholder.text, what, placeholder.name),
                     suggestion(placeholder.name, known));
  };
  switch (placeholder.kind) {
    case Kind::kInputParameter:
      if (placeholder.in_double_quotes())
        findings.warning(place,
                         fmt::format("{} is not replaced by the backend, which knows only single quotes",
                                     placeholder.text),
                         fmt::format("write {{{{$.inputs.parameters['{}']}}}}", placeholder.name));
      return unknown("input parameter", inputs_of(component).parameters);
    case Kind::kInputArtifact:
      return unknown("input artifact", inputs_of(component).artifacts);
    case Kind::kOutputParameter:
      return unknown("output parameter", outputs_of(component).parameters);
    case Kind::kOutputArtifact:
      return unknown("output artifact", outputs_of(component).artifacts);
    case Kind::kOutputFile:
      return findings.warning(place, fmt::format("{} is not replaced by the backend", placeholder.text),
                              "pass {{$}} and read its outputs.outputFile");
    case Kind::kRun:
      return findings.warning(
          place, fmt::format("{} is replaced only as the whole constant of a task's input", placeholder.text),
          "make it an input parameter of the component");
    case Kind::kUnknown:
      return findings.warning(place, fmt::format("{} is not a known placeholder", placeholder.text));
    case Kind::kExecutorInput:
    case Kind::kWorkspacePath:
      return;
  }
}

// The object if the whole string is `{"IfPresent": {…}}` or `{"Concat": […]}`.
json structured(const std::string& text) {
  if (!text.starts_with("{\"")) return nullptr;
  json value = json::parse(text, nullptr, false);
  if (value.is_discarded() || !value.is_object() || value.size() != 1) return nullptr;
  return value.contains("IfPresent") || value.contains("Concat") ? value : json(nullptr);
}

void check_if_present(const std::string& text, const json& value, const ComponentSpec& component,
                      const std::string& place, Findings& findings) {
  if (!value.is_object() || !value.contains("InputName") || !value["InputName"].is_string() ||
      !value.contains("Then"))
    return findings.error(place, "IfPresent must have InputName and Then",
                          R"({"IfPresent": {"InputName": "x", "Then": …, "Else": …}})");
  const auto name = value["InputName"].get<std::string>();
  const ComponentInputs& inputs = inputs_of(component);
  if (inputs.artifacts.contains(name)) {
    findings.warning(place,
                     fmt::format("IfPresent of the artifact \"{}\": the backend knows only parameters", name),
                     "use a parameter");
  } else if (!inputs.parameters.contains(name)) {
    findings.error(place,
                   fmt::format("IfPresent names the input \"{}\", which the component does not have", name),
                   suggestion(name, inputs.parameters));
  }
  if (text.find("$.outputs") != std::string::npos)
    findings.warning(place, "IfPresent is skipped if the argument names outputs",
                     "pass the output in a separate argument");
  for (const char* branch : {"Then", "Else"})
    if (value.contains(branch) && value[branch].dump().find("\"Concat\"") != std::string::npos)
      findings.warning(place, "Concat is not resolved by the backend",
                       "write one string with the placeholders in it");
}

void check_argument(const std::string& text, const ComponentSpec& component, const std::string& place,
                    Findings& findings) {
  const json value = structured(text);
  if (value.is_object() && value.contains("IfPresent")) {
    check_if_present(text, value["IfPresent"], component, place, findings);
  } else if (value.is_object() && value.contains("Concat")) {
    findings.warning(place, "Concat is not resolved by the backend",
                     "write one string with the placeholders in it");
  } else if (text.find("{\"IfPresent\":") != std::string::npos) {
    findings.warning(place, "IfPresent is resolved only as a whole argument");
  }
  std::vector<Placeholder> found = placeholders_in(text);
  for (const Placeholder& placeholder : found) check_name(placeholder, component, place, findings);
}

bool has_digest(const std::string& image) {
  return image.find("@sha256:") != std::string::npos;
}

void check_container(const ComponentSpec& component, const Container& container, const std::string& place,
                     Findings& findings) {
  const std::string image = container.image.value_or("");
  if (image.empty())
    findings.error(place, "has no image");
  else if (!has_digest(image) && placeholders_in(image).empty())
    findings.note(place + ".image",
                  fmt::format("the tag of {} may move: cached results then come from another image", image),
                  "name the image by digest (@sha256:…)");
  // Images that represent volumes of the cluster need no command.
  if (image.find("argostub/") != 0 && (container.command.empty() || container.command[0].empty()))
    findings.warning(place + ".command",
                     container.command.empty() && !container.args.empty()
                         ? "is missing: the backend runs the first argument as the program, not the "
                           "image's own entry point"
                         : "does not name a program",
                     "name the program; runs on this machine need it");
  for (std::size_t i = 0; i < container.command.size(); ++i) {
    const std::string here = fmt::format("{}.command[{}]", place, i);
    check_argument(container.command[i], component, here, findings);
    if (i > 0) continue;
    for (const Placeholder& placeholder : placeholders_in(container.command[0]))
      if (placeholder.kind != Kind::kExecutorInput)
        findings.warning(
            here,
            fmt::format("{} stays unchanged in the first word of a command, where only {{{{$}}}} "
                        "is replaced",
                        placeholder.text),
            "pass it as an argument");
  }
  for (std::size_t i = 0; i < container.args.size(); ++i)
    check_argument(container.args[i], component, fmt::format("{}.args[{}]", place, i), findings);
  for (std::size_t i = 0; i < container.env.size(); ++i) {
    const std::string here = fmt::format("{}.env[{}]", place, i);
    const std::string name = container.env[i].name.value_or("");
    if (name.empty()) findings.error(here, "has no name");
    if (!placeholders_in(container.env[i].value.value_or("")).empty())
      findings.warning(here,
                       fmt::format("the value of {} is used unchanged: placeholders are not replaced", name),
                       "pass it as an argument");
  }
}

void check_importer(const ComponentSpec& component, const Importer& importer, const std::string& place,
                    Findings& findings) {
  const ValueOrRuntimeParameter uri = importer.artifact_uri.value_or(ValueOrRuntimeParameter{});
  if (!uri.constant && !uri.constant_value && !uri.runtime_parameter) {
    findings.error(place + ".artifactUri", "has no value", "set constant or runtimeParameter");
  } else if (uri.runtime_parameter && !inputs_of(component).parameters.contains(*uri.runtime_parameter)) {
    findings.error(place + ".artifactUri.runtimeParameter",
                   fmt::format("names the input parameter \"{}\", which the component does not have",
                               *uri.runtime_parameter),
                   suggestion(*uri.runtime_parameter, inputs_of(component).parameters));
  }
  if (!importer.type_schema) findings.error(place, "has no typeSchema");
  if (!importer.metadata) return;
  std::vector<Placeholder> found;
  collect_placeholders(importer.metadata->value, found);
  for (const Placeholder& placeholder : found)
    check_name(placeholder, component, place + ".metadata", findings);
}

}  // namespace

void collect_placeholders(const Value& value, std::vector<Placeholder>& found) {
  if (value.is_string()) {
    for (Placeholder& placeholder : placeholders_in(value.get<std::string>()))
      found.push_back(std::move(placeholder));
  }
  if (value.is_array())
    for (const json& element : value) collect_placeholders(element, found);
  if (value.is_object()) {
    for (const auto& [name, element] : value.items()) {
      collect_placeholders(name, found);
      collect_placeholders(element, found);
    }
  }
}

void check_executor(const ComponentSpec& component, const Executor& executor, const std::string& place,
                    Findings& findings) {
  if (executor.container)
    check_container(component, *executor.container, place + ".container", findings);
  else if (executor.importer)
    check_importer(component, *executor.importer, place + ".importer", findings);
  else if (executor.resolver || executor.custom_job)
    findings.warning(
        place, "is neither a container nor an importer, which are all that the open-source backend runs");
  else
    findings.error(place, "is empty", "set container or importer");
}

void check_executor_of_task(const Task& task, const ComponentSpec& component, const Executor& executor,
                            const std::string& place, Findings& findings) {
  if (!executor.container) return;
  const TaskInputs passed = task.inputs.value_or(TaskInputs{});
  const Container& container = *executor.container;
  const auto check_argument_of_task = [&](const std::string& text) {
    std::string guarded;  // the input that an IfPresent tests
    if (const json value = structured(text); value.is_object() && value.contains("IfPresent")) {
      const json& asked = value["IfPresent"];
      if (asked.is_object() && asked.contains("InputName") && asked["InputName"].is_string())
        guarded = asked["InputName"].get<std::string>();
    }
    for (const Placeholder& placeholder : placeholders_in(text)) {
      if (placeholder.name == guarded) continue;
      if (placeholder.kind == Kind::kInputParameter) {
        const InputParameterSpec* input = find(inputs_of(component).parameters, placeholder.name);
        const bool looped =
            task.parameter_iterator && task.parameter_iterator->item_input == placeholder.name;
        if (input == nullptr || looped || passed.parameters.contains(placeholder.name)) continue;
        if (input->is_optional.value_or(false) || input->default_value)
          findings.warning(
              place + ".inputs.parameters",
              fmt::format("the optional input \"{}\" is not passed, but the command uses {}: the "
                          "driver fails, even if there is a default",
                          placeholder.name, placeholder.text),
              "pass a value");
      }
      if (placeholder.kind == Kind::kInputArtifact) {
        const InputArtifactSpec* input = find(inputs_of(component).artifacts, placeholder.name);
        if (input != nullptr && input->is_optional.value_or(false) &&
            !passed.artifacts.contains(placeholder.name))
          findings.warning(place + ".inputs.artifacts",
                           fmt::format("the optional input \"{}\" is not passed, but the command uses {}",
                                       placeholder.name, placeholder.text),
                           "pass an artifact");
      }
    }
  };
  for (const std::string& text : container.command) check_argument_of_task(text);
  for (const std::string& text : container.args) check_argument_of_task(text);

  const Resources resources = container.resources.value_or(Resources{});
  const Accelerator accelerator = resources.accelerator.value_or(Accelerator{});
  const std::pair<const char*, const std::optional<std::string>*> texts[] = {
      {"image", &container.image},
      {"resources.resourceCpuLimit", &resources.resource_cpu_limit},
      {"resources.resourceMemoryLimit", &resources.resource_memory_limit},
      {"resources.resourceCpuRequest", &resources.resource_cpu_request},
      {"resources.resourceMemoryRequest", &resources.resource_memory_request},
      {"resources.accelerator.resourceType", &accelerator.resource_type},
      {"resources.accelerator.resourceCount", &accelerator.resource_count}};
  for (const auto& [field, text] : texts) {
    for (const Placeholder& placeholder : placeholders_in(text->value_or(""))) {
      const bool known =
          placeholder.kind == Kind::kInputParameter && passed.parameters.contains(placeholder.name);
      if (!known)
        findings.error(place + ".inputs.parameters",
                       fmt::format("{} of the executor {} uses {}, which the task does not pass", field,
                                   component.executor_label.value_or(""), placeholder.text),
                       suggestion(placeholder.name, passed.parameters));
    }
  }
}

}  // namespace kfp::ir::checks
