#include "kfp/compile/argo/detail/expression.h"

#include <fmt/format.h>

#include "core/error.h"
#include "kfp/ir/value_text.h"

namespace kfp::argo {
namespace {

using ir::Condition;
using ir::ParameterType;
using nlohmann::json;
using Kind = Condition::Kind;

enum class Type { kText, kNumber, kTruth, kNull, kAny };

struct Typed {
  std::string text;
  Type type;
};

[[noreturn]] void refuse(const std::string& message) {
  throw core::InputError({.message = message, .field = "condition"});
}

const char* name_of(Type type) {
  static constexpr const char* kNames[] = {"a string", "a number", "true or false", "null", "of any type"};
  return kNames[static_cast<int>(type)];
}

Typed literal_of(const json& value) {
  if (value.is_string()) return {quote(value.get<std::string>()), Type::kText};
  if (value.is_boolean()) return {value.dump(), Type::kTruth};
  if (value.is_null()) return {"nil", Type::kNull};
  return {value.dump(), Type::kNumber};
}

class Translation {
 public:
  explicit Translation(const std::function<ConditionInput(const std::string&)>& input) : input_(input) {}

  Typed operator()(const Condition& condition) const {
    switch (condition.kind) {
      case Kind::kLiteral:
        return literal_of(condition.value);
      case Kind::kParameter: {
        const ConditionInput input = input_(condition.name);
        return {typed(input.expression, input.type), type_of(input.type)};
      }
      case Kind::kNot:
        return {fmt::format("!({})", truth(condition.operands[0])), Type::kTruth};
      case Kind::kAnd:
        return both(condition, "&&");
      case Kind::kOr:
        return both(condition, "||");
      case Kind::kInt:
      case Kind::kDouble:
      case Kind::kString:
      case Kind::kBool:
        return convert(condition.kind, (*this)(condition.operands[0]));
      default:
        return compare(condition.kind, (*this)(condition.operands[0]), (*this)(condition.operands[1]));
    }
  }

  std::string truth(const Condition& condition) const {
    const Typed value = (*this)(condition);
    if (value.type != Type::kTruth && value.type != Type::kAny)
      refuse(fmt::format("{} is {}, not true or false", value.text, name_of(value.type)));
    return value.text;
  }

 private:
  static Type type_of(ParameterType type) {
    switch (type) {
      case ParameterType::kString:
        return Type::kText;
      case ParameterType::kNumberDouble:
      case ParameterType::kNumberInteger:
        return Type::kNumber;
      case ParameterType::kBoolean:
        return Type::kTruth;
      default:
        return Type::kAny;
    }
  }

  Typed both(const Condition& condition, const char* sign) const {
    return {fmt::format("({} {} {})", truth(condition.operands[0]), sign, truth(condition.operands[1])),
            Type::kTruth};
  }

  static Typed convert(Kind kind, const Typed& value) {
    const bool convertible = value.type != Type::kNull &&
                             (value.type != Type::kTruth || kind == Kind::kString || kind == Kind::kBool);
    if (!convertible || (kind == Kind::kBool && value.type == Type::kNumber))
      refuse(fmt::format("{} is {} and cannot be converted", value.text, name_of(value.type)));
    switch (kind) {
      case Kind::kInt:
        return {fmt::format("int({})", value.text), Type::kNumber};
      case Kind::kDouble:
        return {fmt::format("float({})", value.text), Type::kNumber};
      case Kind::kString:
        return {value.type == Type::kText ? value.text : fmt::format("string({})", value.text), Type::kText};
      default:
        if (value.type == Type::kTruth) return value;
        return {
            fmt::format("(string({}) in [\"true\", \"True\", \"TRUE\", \"t\", \"T\", \"1\"])", value.text),
            Type::kTruth};
    }
  }

  static Typed compare(Kind kind, const Typed& left, const Typed& right) {
    const bool alike = left.type == right.type || left.type == Type::kAny || right.type == Type::kAny;
    if (kind == Kind::kEqual || kind == Kind::kNotEqual) {
      if (!alike) return {kind == Kind::kEqual ? "false" : "true", Type::kTruth};
      return {fmt::format("({} {} {})", left.text, kind == Kind::kEqual ? "==" : "!=", right.text),
              Type::kTruth};
    }
    if (!alike || left.type == Type::kTruth || left.type == Type::kNull)
      refuse(fmt::format("{} and {} cannot be compared by size", left.text, right.text));
    const char* sign = kind == Kind::kLess        ? "<"
                       : kind == Kind::kLessEqual ? "<="
                       : kind == Kind::kGreater   ? ">"
                                                  : ">=";
    return {fmt::format("({} {} {})", left.text, sign, right.text), Type::kTruth};
  }

  const std::function<ConditionInput(const std::string&)>& input_;
};

}  // namespace

std::string quote(std::string_view text) {
  std::string quoted = json(text).dump();
  for (const auto& [brace, escaped] : {std::pair{'{', "\\u007b"}, std::pair{'}', "\\u007d"}})
    for (std::size_t at = quoted.find(brace); at != std::string::npos; at = quoted.find(brace, at + 6))
      quoted.replace(at, 1, escaped);
  return quoted;
}

Reference literal(const std::string& text) {
  if (text.find("{{") != std::string::npos) return computed(quote(text));
  return {text, quote(text)};
}

Reference input(const std::string& name) {
  return {fmt::format("{{{{inputs.parameters.{}}}}}", name), fmt::format("inputs.parameters['{}']", name)};
}

Reference output(const std::string& task, const std::string& name) {
  return {fmt::format("{{{{tasks.{}.outputs.parameters.{}}}}}", task, name),
          fmt::format("tasks['{}'].outputs.parameters['{}']", task, name)};
}

Reference status(const std::string& task) {
  return {fmt::format("{{{{tasks.{}.status}}}}", task), fmt::format("tasks['{}'].status", task)};
}

Reference computed(std::string expression) {
  std::string text = fmt::format("{{{{={}}}}}", expression);
  return {std::move(text), std::move(expression)};
}

std::string parameter_text(const ir::Value& value, ParameterType) {
  return ir::value_text(value);
}

std::string typed(const std::string& expression, ParameterType type) {
  switch (type) {
    case ParameterType::kString:
      return expression;
    case ParameterType::kNumberDouble:
    case ParameterType::kNumberInteger:
      return fmt::format("float(trim({}))", expression);
    case ParameterType::kBoolean:
      return fmt::format("(lower(trim({})) == \"true\")", expression);
    default:
      return fmt::format("fromJSON({})", expression);
  }
}

std::string as_text(const std::string& expression) {
  return fmt::format("let v = {}; type(v) == \"string\" ? v : toJson(v)", expression);
}

std::string to_expression(const Condition& condition,
                          const std::function<ConditionInput(const std::string& name)>& input) {
  return Translation(input).truth(condition);
}

std::string to_expression(const ir::Selector& selector, const std::string& expression) {
  std::string part = expression;
  for (const ir::Selector::Step& step : selector.steps) {
    if (std::holds_alternative<ir::Selector::ParseJson>(step))
      part = fmt::format("fromJSON({})", part);
    else if (const auto* key = std::get_if<std::string>(&step))
      part += fmt::format("[{}]", quote(*key));
    else
      part += fmt::format("[{}]", std::get<std::size_t>(step));
  }
  return as_text(part);
}

}  // namespace kfp::argo
