#include "kfp/local/detail/parameters.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "core/error.h"
#include "kfp/component/field.h"
#include "kfp/ir/value_text.h"
#include "kfp/local/detail/launcher.h"

namespace kfp::local {
using ir::ParameterType;
using nlohmann::json;

json convert_parameter(const json& value, ParameterType type, const std::string& what) {
  switch (type) {
    case ParameterType::kString:
      if (value.is_string()) return value;
      if (!value.is_null()) return parameter_text(value);
      break;
    case ParameterType::kNumberInteger:
      if (value.is_number_integer()) return value;
      if (value.is_number_float()) {
        const double number = value.get<double>();
        if (number == std::floor(number) && std::abs(number) < 0x1p63)
          return static_cast<std::int64_t>(number);
      }
      break;
    case ParameterType::kNumberDouble:
      if (value.is_number_float() && std::isfinite(value.get<double>())) return value;
      if (value.is_number_integer()) return value.get<double>();
      break;
    case ParameterType::kBoolean:
      if (value.is_boolean()) return value;
      break;
    case ParameterType::kList:
      if (value.is_array()) return ir::whole_numbers(value);
      break;
    case ParameterType::kStruct:
    case ParameterType::kTaskFinalStatus:
    case ParameterType::kTaskConfig:
      if (value.is_object()) return ir::whole_numbers(value);
      break;
    default:
      return value;
  }
  std::string shown = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (shown.size() > 60) shown = shown.substr(0, 57) + "...";
  throw core::InputError({.message = fmt::format("{} is {} ({}), but must be {}", what, shown,
                                                 value.type_name(), to_string(type))});
}

json check_run_parameters(const ir::PipelineSpec& spec, const json& parameters) {
  static const ir::ComponentInputs kNone;
  const ir::ComponentInputs& inputs =
      spec.root && spec.root->input_definitions ? *spec.root->input_definitions : kNone;
  if (!parameters.is_object())
    throw core::UsageError({.message = "the parameters of a run must be an object of names and values"});

  std::vector<std::string> known;
  for (const auto& [name, parameter] : inputs.parameters) known.push_back(name);
  for (const auto& [name, value] : parameters.items()) {
    if (inputs.parameters.contains(name)) continue;
    const std::string near = nearest(name, known);
    throw core::UsageError({.message = "the pipeline has no such parameter",
                            .field = name,
                            .hint = !near.empty()   ? "did you mean " + near + "?"
                                    : known.empty() ? "it has none"
                                                    : fmt::format("it has {}", fmt::join(known, ", "))});
  }
  for (const auto& [name, artifact] : inputs.artifacts)
    if (!artifact.is_optional.value_or(false))
      throw core::UsageError({.message = "the pipeline needs an artifact, which cannot be passed to a run",
                              .field = name,
                              .hint = "import it in the pipeline"});

  json values = json::object();
  for (const auto& [name, parameter] : inputs.parameters) {
    const auto given = parameters.find(name);
    const bool has_value = given != parameters.end() && !given->is_null();
    if (!has_value) {
      if (parameter.default_value)
        values[name] = *parameter.default_value;
      else if (parameter.is_optional.value_or(false))
        values[name] = nullptr;
      else
        throw core::UsageError({.message = "the pipeline needs this parameter",
                                .field = name,
                                .hint = parameter.description.value_or("")});
      if (values[name].is_null()) continue;
    }
    const ParameterType type = parameter.parameter_type.value_or(ParameterType::kUnspecified);
    json& value = values[name] = has_value ? *given : values[name];
    // For parameters of a run, unlike between tasks, a number instead of a string is probably a mistake.
    if (type == ParameterType::kString && !value.is_string())
      throw core::UsageError(
          {.message = value.dump() + " is not a string", .field = name, .hint = "put it in quotes"});
    try {
      value = convert_parameter(value, type, "parameter");
    } catch (const core::InputError& error) {
      throw core::UsageError({.message = error.details().message, .field = name});
    }
    if (!parameter.literals.empty() &&
        std::find(parameter.literals.begin(), parameter.literals.end(), value) == parameter.literals.end()) {
      std::vector<std::string> allowed;
      for (const json& literal : parameter.literals) allowed.push_back(literal.dump());
      throw core::UsageError({.message = value.dump() + " is not allowed",
                              .field = name,
                              .hint = fmt::format("one of {}", fmt::join(allowed, ", "))});
    }
  }
  return values;
}

}  // namespace kfp::local
