#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "kfp/ir/condition.h"
#include "kfp/ir/types.h"

/// Argo's texts: parameters are texts everywhere, `{{…}}` is replaced by a variable's value and `{{=…}}` by
/// the value of an expression (expr-lang.org). No part of the public interface.
namespace kfp::argo {

/// A value of a workflow, in the two ways in which Argo's texts name it.
struct Reference {
  std::string text;        ///< as (part of) a text: "{{inputs.parameters.x}}", "literal"
  std::string expression;  ///< inside an expression: "inputs.parameters['x']", "\"literal\""
};

/// A literal of the expression language; holds no braces, which would end an expression tag.
std::string quote(std::string_view text);

/// A constant. Braces that Argo would take for a tag are kept from it.
Reference literal(const std::string& text);

/// An input parameter of the template.
Reference input(const std::string& name);

/// An output parameter of a task of the same DAG, and how the task ended ("Succeeded").
Reference output(const std::string& task, const std::string& name);
Reference status(const std::string& task);

/// The value of an expression.
Reference computed(std::string expression);

/// A JSON value as the text of a parameter, as KFP's launcher writes it: ir::value_text().
std::string parameter_text(const ir::Value& value, ir::ParameterType type);

/// An expression that is the value (no longer text) of a parameter's text.
std::string typed(const std::string& expression, ir::ParameterType type);

/// An expression that is the text again of any value.
std::string as_text(const std::string& expression);

/// An input of a condition: its text as an expression, and its type.
struct ConditionInput {
  std::string expression;
  ir::ParameterType type = ir::ParameterType::kUnspecified;
};

/// A condition as an expression that is true or false, as ir::evaluate_condition() is.
/// @throws core::InputError if types make no sense, or Argo cannot say it
std::string to_expression(const ir::Condition& condition,
                          const std::function<ConditionInput(const std::string& name)>& input);

/// The part that a selector names, as an expression for its text.
std::string to_expression(const ir::Selector& selector, const std::string& expression);

}  // namespace kfp::argo
