#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace kfp::ir {

/// A condition of a task: the part of CEL (cel.dev) that pipelines use, as a tree. Comparison, `&&`, `||`,
/// `!`, parentheses, literals (`'text'`, `"text"`, 1, 1.5, true, null), `int()`, `double()`, `string()`,
/// `bool()`, and input parameters: `inputs.parameter_values['x']`.
struct Condition {
  enum class Kind {
    kLiteral,    ///< `value`
    kParameter,  ///< the input parameter `name`
    kNot,        ///< of one operand, as are the conversions
    kAnd,        ///< of two, as are the comparisons
    kOr,
    kEqual,
    kNotEqual,
    kLess,
    kLessEqual,
    kGreater,
    kGreaterEqual,
    kInt,
    kDouble,
    kString,
    kBool
  };

  Kind kind = Kind::kLiteral;
  nlohmann::json value;
  std::string name;
  std::vector<Condition> operands;
};

/// Reads a condition. @throws core::InputError with the place in the text ("at 7"), for other CEL too
Condition parse_condition(std::string_view cel);

/// The parameters that a condition reads, in order; one may come several times.
std::vector<std::string> inputs_of_condition(const Condition& condition);

/// The value of a condition for these parameters. As in the open-source backend, parameters that are numbers
/// are doubles, values of different types are not equal but cannot be ordered, and an error on one side of
/// `&&` and
/// `||` does not count where the other side decides.
/// @throws core::InputError for missing parameters, wrong types, and where the result is neither true nor
/// false
bool evaluate_condition(const Condition& condition,
                        const std::map<std::string, nlohmann::json>& parameter_values);

/// The same from text.
bool evaluate_condition(std::string_view cel, const std::map<std::string, nlohmann::json>& parameter_values);

/// What a `parameterExpressionSelector` does to a value, step by step.
struct Selector {
  /// Reads the text, or the text of the value, as JSON.
  struct ParseJson {};
  /// A key of an object, or the position in a list.
  using Step = std::variant<ParseJson, std::string, std::size_t>;

  std::vector<Step> steps;
};

/// Reads `parseJson(string_value)["A"][0]`. @throws core::InputError with the place in the text
Selector parse_selector(std::string_view selector);

/// The part of `value` that the selector names. `value` may be JSON or its text, as both come out of tasks.
/// @throws core::InputError if there is none
nlohmann::json select(const Selector& selector, const nlohmann::json& value);
nlohmann::json select(std::string_view selector, const nlohmann::json& value);

}  // namespace kfp::ir
