#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "kfp/ir/condition.h"
#include "kfp/ir/types.h"

/// Strings for Argo, which has only string parameters: it replaces `{{…}}` by a variable's value and `{{=…}}`
/// by the value of an expression (expr-lang.org). Not part of the public interface.
namespace kfp::argo {

/// A value of a workflow, in the two notations for Argo.
struct Reference {
  std::string text;        ///< as (part of) a string: "{{inputs.parameters.x}}", "literal"
  std::string expression;  ///< inside an expression: "inputs.parameters['x']", "\"literal\""
};

/// A literal of the expression language, without braces, which would end an expression tag.
std::string quote(std::string_view text);

/// A constant. Braces are escaped so that Argo does not read them as a tag.
Reference literal(const std::string& text);

/// An input parameter of the template.
Reference input(const std::string& name);

/// An output parameter of a task of the same DAG, and the final status of a task ("Succeeded").
Reference output(const std::string& task, const std::string& name);
Reference status(const std::string& task);

/// The value of an expression.
Reference computed(std::string expression);

/// A JSON value as the string of a parameter, in the format of KFP's launcher: ir::value_text().
std::string parameter_text(const ir::Value& value, ir::ParameterType type);

/// An expression for the value of a parameter, given an expression for its string.
std::string typed(const std::string& expression, ir::ParameterType type);

/// An expression for the string of any value.
std::string as_text(const std::string& expression);

/// An input of a condition: an expression for its string, and its type.
struct ConditionInput {
  std::string expression;
  ir::ParameterType type = ir::ParameterType::kUnspecified;
};

/// A condition as an expression that is true or false, equivalent to ir::evaluate_condition().
/// @throws core::InputError if types do not match, or Argo has no such expression
std::string to_expression(const ir::Condition& condition,
                          const std::function<ConditionInput(const std::string& name)>& input);

/// An expression for the string of the part that a selector names.
std::string to_expression(const ir::Selector& selector, const std::string& expression);

}  // namespace kfp::argo
