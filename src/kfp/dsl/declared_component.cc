#include "kfp/dsl/declared_component.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"

namespace kfp::dsl {
namespace {

ParameterType type_from(const std::string& name) {
  const auto names = ir::enum_names(ParameterType{});
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? ParameterType::kUnspecified
                              : static_cast<ParameterType>(found - names.begin());
}

// Description of a field for forms and readers: "Number of showers, in GeV, > 0".
std::string description_of(const Field& field) {
  std::string text = field.parameter_spec.help;
  const std::string allowed = field.allowed();
  if (!field.parameter_spec.unit.empty()) text += fmt::format(" [{}]", field.parameter_spec.unit);
  if (!allowed.empty()) text += fmt::format(" ({})", allowed);
  return text;
}

}  // namespace

ContainerComponent from_declaration(const Component& component, const DeclaredComponentOptions& options) {
  const std::string& name = component.info().name;
  if (options.command.empty())
    throw core::UsageError(
        {.message = "has no command", .field = "component " + name, .hint = "name the program"});
  ContainerComponent result{.name = name,
                            .description = component.info().summary,
                            .image = options.image,
                            .command = options.command,
                            .args = {name, "--executor-input", executor_input()}};
  for (const Field& field : component.fields()) {
    const bool is_output = field.kind == Field::Kind::kOutput || field.kind == Field::Kind::kOutputParameter;
    Ports& ports = is_output ? result.outputs : result.inputs;
    if (field.kind == Field::Kind::kInput || field.kind == Field::Kind::kOutput) {
      ports[field.name] = artifact(
          "system." + to_string(field.artifact_spec.type),
          {.optional = !is_output && field.artifact_spec.optional, .description = field.artifact_spec.help});
      continue;
    }
    ParameterOptions parameter_options{.description = description_of(field)};
    if (field.kind == Field::Kind::kParameter && !field.parameter_spec.required)
      parameter_options.default_value = field.value();
    ports[field.name] = parameter(type_from(field.kfp_type()), std::move(parameter_options));
  }
  return checked(std::move(result));
}

}  // namespace kfp::dsl
