#include "kfp/dsl/port.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "kfp/component/field.h"

namespace kfp::dsl {
namespace {

using nlohmann::json;

// The largest n such that doubles represent every integer up to n exactly.
constexpr std::int64_t kMaxInteger = (std::int64_t{1} << 53) - 1;

constexpr std::array kSystemTypes = {
    "Artifact", "Model",   "Dataset", "Metrics", "ClassificationMetrics", "SlicedClassificationMetrics",
    "HTML",     "Markdown"};

std::string shown(const json& value) {
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

// Converts numbers to doubles, which is what google.protobuf.Value has.
json doubles(const json& value, const std::string& what) {
  if (value.is_number_float()) {
    if (!std::isfinite(value.get<double>()))
      throw core::UsageError({.message = "cannot be " + fmt::format("{}", value.get<double>()),
                              .field = what,
                              .hint = "parameters are finite numbers"});
    return value;
  }
  if (value.is_number()) {
    const bool fits = value.is_number_unsigned() ? value.get<std::uint64_t>() <= std::uint64_t{kMaxInteger}
                                                 : std::abs(static_cast<double>(value.get<std::int64_t>())) <=
                                                       static_cast<double>(kMaxInteger);
    if (!fits)
      throw core::UsageError(
          {.message = fmt::format("cannot be {}: the backend keeps numbers as doubles", shown(value)),
           .field = what,
           .hint = "integers must be within ±(2^53 - 1); pass it as a string"});
    return value.get<double>();
  }
  if (value.is_array() || value.is_object()) {
    json converted = value;
    for (auto& element : converted) element = doubles(element, what);
    return converted;
  }
  return value;
}

bool matches(const json& value, ParameterType type) {
  switch (type) {
    case ParameterType::kNumberDouble:
      return value.is_number();
    case ParameterType::kNumberInteger:
      return value.is_number_integer() ||
             (value.is_number_float() && std::trunc(value.get<double>()) == value.get<double>());
    case ParameterType::kString:
      return value.is_string();
    case ParameterType::kBoolean:
      return value.is_boolean();
    case ParameterType::kList:
      return value.is_array();
    case ParameterType::kStruct:
      return value.is_object();
    default:
      return !value.is_null();
  }
}

std::string python_number(double value) {
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string major_version(const std::string& version) {
  return version.substr(0, version.find('.'));
}

}  // namespace

ValueType list_of(ValueType item) {
  ValueType type = ParameterType::kList;
  type.of.push_back(std::move(item));
  return type;
}

ValueType struct_of(ValueType value) {
  ValueType type = ParameterType::kStruct;
  type.of.push_back(std::move(value));
  return type;
}

std::string Port::type_name() const {
  if (is_artifact) return (is_list ? "list of " : "") + schema_title;
  return type.type == ParameterType::kUnspecified ? "any type" : ir::to_string(type.type);
}

Port parameter(ValueType type, ParameterOptions options) {
  Port port{
      .type = std::move(type), .optional = options.optional, .description = std::move(options.description)};
  if (!options.default_value) return port;
  port.optional = true;
  if (!options.default_value->is_null())
    port.default_value = constant_for(port.type, *options.default_value, "the default of a parameter");
  return port;
}

Port artifact(std::string schema_title, ArtifactOptions options) {
  const std::size_t dot = schema_title.find('.');
  if (dot == std::string::npos || dot == 0 || dot + 1 == schema_title.size())
    throw core::UsageError({.message = fmt::format("\"{}\" is not a type of artifacts", schema_title),
                            .hint = "give it with its namespace: system.Dataset"});
  if (schema_title.starts_with("system.")) {
    const std::vector<std::string> known(kSystemTypes.begin(), kSystemTypes.end());
    const std::string name = schema_title.substr(dot + 1);
    const std::string near = nearest(name, known);
    if (std::find(known.begin(), known.end(), name) == known.end())
      throw core::UsageError({.message = fmt::format("\"{}\" is not a type of artifacts", schema_title),
                              .hint = near.empty()
                                          ? fmt::format("there are system.{{{}}}", fmt::join(known, ", "))
                                          : fmt::format("did you mean system.{}?", near)});
  }
  return {.is_artifact = true,
          .schema_title = std::move(schema_title),
          .schema_version = std::move(options.version),
          .is_list = options.list,
          .optional = options.optional,
          .description = std::move(options.description)};
}

Port task_final_status() {
  return {.type = ParameterType::kTaskFinalStatus, .optional = true};
}

std::string mismatch(const Port& given, const Port& wanted) {
  if (given.is_artifact != wanted.is_artifact)
    return fmt::format("{} is {}", given.type_name(),
                       given.is_artifact ? "an artifact, not a parameter" : "a parameter, not an artifact");
  bool fits = true;
  if (!given.is_artifact) {
    fits = given.type.type == ParameterType::kUnspecified || given.type.type == wanted.type.type;
  } else if (given.is_list != wanted.is_list) {
    fits = false;
  } else if (given.schema_title != "system.Artifact" && wanted.schema_title != "system.Artifact") {
    fits = given.schema_title == wanted.schema_title &&
           major_version(given.schema_version) == major_version(wanted.schema_version);
  }
  return fits ? "" : fmt::format("{} is not {}", given.type_name(), wanted.type_name());
}

json constant_for(const ValueType& type, const json& value, const std::string& what) {
  if (!matches(value, type.type))
    throw core::UsageError(
        {.message = fmt::format("cannot be {}: expected {}", shown(value), Port{.type = type}.type_name()),
         .field = what});
  return doubles(value, what);
}

std::string kubernetes_name(const std::string& name) {
  std::string result;
  for (const char c : name) {
    const char lower = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    const bool keep = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
    if (keep)
      result += lower;
    else if (!result.empty() && result.back() != '-')
      result += '-';
  }
  while (!result.empty() && result.back() == '-') result.pop_back();
  return result;
}

std::string python_json(const json& value) {
  std::string text;
  if (value.is_array()) {
    for (const json& element : value) text += (text.empty() ? "" : ", ") + python_json(element);
    return "[" + text + "]";
  }
  if (value.is_object()) {
    for (const auto& [key, element] : value.items())
      text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", json(key).dump(-1, ' ', true),
                          python_json(element));
    return "{" + text + "}";
  }
  if (value.is_number_float()) return python_number(value.get<double>());
  return value.dump(-1, ' ', true);
}

}  // namespace kfp::dsl
