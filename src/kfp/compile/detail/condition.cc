#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"
#include "kfp/compile/detail/interface.h"

namespace kfp::dsl::lowering {
namespace {

using graph::Channel;
using nlohmann::json;

ParameterType type_of(const graph::Comparison::Operand& operand) {
  if (const auto* channel = std::get_if<const Channel*>(&operand)) {
    const ParameterType type = (*channel)->port.type.type;
    return type == ParameterType::kUnspecified ? ParameterType::kString : type;
  }
  const json& constant = std::get<json>(operand);
  if (constant.is_string()) return ParameterType::kString;
  if (constant.is_boolean()) return ParameterType::kBoolean;
  return constant.is_number_float() ? ParameterType::kNumberDouble : ParameterType::kNumberInteger;
}

std::string described(const graph::Comparison::Operand& operand) {
  if (const auto* channel = std::get_if<const Channel*>(&operand)) return (*channel)->described();
  return std::get<json>(operand).dump();
}

// A string in single quotes; CEL has the escapes of C.
std::string cel_text(const std::string& text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') result += '\\';
    if (c == '\n')
      result += "\\n";
    else
      result += c;
  }
  return result + "'";
}

// The type in which both sides are compared: string before double before integer.
ParameterType common_type(const graph::Comparison& comparison, const graph::Group& group) {
  const ParameterType left = type_of(comparison.left);
  const ParameterType right = type_of(comparison.right);
  if (left == right) return left;
  if (left == ParameterType::kString || right == ParameterType::kString) return ParameterType::kString;
  if (left == ParameterType::kBoolean || right == ParameterType::kBoolean)
    throw core::UsageError({.message = fmt::format("compares {} with {}: a Boolean with a number",
                                                   described(comparison.left), described(comparison.right)),
                            .field = group.name});
  return ParameterType::kNumberDouble;
}

std::string side(const graph::Comparison::Operand& operand, ParameterType common) {
  const ParameterType type = type_of(operand);
  std::string text;
  if (const auto* channel = std::get_if<const Channel*>(&operand)) {
    text = fmt::format("inputs.parameter_values['{}']", channel_input((*channel)->full_name()));
    if (type == ParameterType::kNumberInteger) text = fmt::format("int({})", text);
  } else {
    const json& constant = std::get<json>(operand);
    text = constant.is_string() ? cel_text(constant.get<std::string>()) : python_json(constant);
  }
  if (type == common) return text;
  if (common == ParameterType::kNumberDouble) return fmt::format("double({})", text);
  return std::holds_alternative<json>(operand) ? cel_text(text) : fmt::format("string({})", text);
}

}  // namespace

std::string condition_text(const graph::Group& group) {
  std::vector<std::string> texts;
  for (const graph::Comparison& comparison : group.conditions) {
    const ParameterType common = common_type(comparison, group);
    const std::string text =
        fmt::format("{} {} {}", side(comparison.left, common), comparison.op, side(comparison.right, common));
    texts.push_back(comparison.negated ? fmt::format("!({})", text) : text);
  }
  return fmt::format("{}", fmt::join(texts, " && "));
}

}  // namespace kfp::dsl::lowering
