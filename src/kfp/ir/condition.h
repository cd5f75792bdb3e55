#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace kfp::ir {

/// A condition of a task, as a tree. Supports the part of CEL (cel.dev) that pipelines use: comparison, `&&`,
/// `||`, `!`, parentheses, literals (`'text'`, `"text"`, 1, 1.5, true, null), `int()`, `double()`,
/// `string()`, `bool()`, and input parameters: `inputs.parameter_values['x']`.
struct Condition {
  enum class Kind {
    kLiteral,    ///< the literal is `value`
    kParameter,  ///< the input parameter `name`
    kNot,        ///< one operand, as for the conversions
    kAnd,        ///< two operands, as for the comparisons
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

/// Parses a condition. @throws core::InputError with the position in the string ("at 7"), for any other CEL,
/// too
Condition parse_condition(std::string_view cel);

/// Names of the parameters that a condition reads, in order; a name may occur several times.
std::vector<std::string> inputs_of_condition(const Condition& condition);

/// The value of a condition for these parameters. As in the open-source backend, numeric parameters are
/// doubles; values of different types are unequal but cannot be ordered; and an error on one side of `&&` and
/// `||` is ignored if the other side decides.
/// @throws core::InputError for missing parameters, wrong types, or a result that is neither true nor false
bool evaluate_condition(const Condition& condition,
                        const std::map<std::string, nlohmann::json>& parameter_values);

/// The same for a condition as a string.
bool evaluate_condition(std::string_view cel, const std::map<std::string, nlohmann::json>& parameter_values);

/// The steps by which a `parameterExpressionSelector` selects a part of a value.
struct Selector {
  /// Parses a string, or the string in the value, as JSON.
  struct ParseJson {};
  /// A key of an object, or an index into a list.
  using Step = std::variant<ParseJson, std::string, std::size_t>;

  std::vector<Step> steps;
};

/// Parses `parseJson(string_value)["A"][0]`. @throws core::InputError with the position in the string
Selector parse_selector(std::string_view selector);

/// The part of `value` that the selector names. `value` may be JSON, or JSON as a string, as tasks return
/// either.
/// @throws core::InputError if there is none
nlohmann::json select(const Selector& selector, const nlohmann::json& value);
nlohmann::json select(std::string_view selector, const nlohmann::json& value);

}  // namespace kfp::ir
