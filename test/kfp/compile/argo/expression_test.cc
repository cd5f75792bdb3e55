#include "kfp/compile/argo/detail/expression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace {

using kfp::argo::ConditionInput;
using kfp::ir::ParameterType;
using testing::HasSubstr;
using testing::Not;

std::string translate(const std::string& cel) {
  static const std::map<std::string, ConditionInput> kInputs = {
      {"text", {"T", ParameterType::kString}},
      {"number", {"N", ParameterType::kNumberInteger}},
      {"truth", {"B", ParameterType::kBoolean}},
      {"struct", {"J", ParameterType::kStruct}},
  };
  return kfp::argo::to_expression(kfp::ir::parse_condition(cel),
                                  [](const std::string& name) { return kInputs.at(name); });
}

TEST(ArgoExpression, OfConditions) {
  EXPECT_EQ(translate("inputs.parameter_values['text'] == 'heads'"), "(T == \"heads\")");
  EXPECT_EQ(translate("int(inputs.parameter_values['number']) < 5"), "(int(float(trim(N))) < 5)");
  EXPECT_EQ(translate("inputs.parameter_values['truth'] == true"), "((lower(trim(B)) == \"true\") == true)");
  EXPECT_EQ(translate("!(inputs.parameter_values['text'] == \"a\") && inputs.parameter_values['truth']"),
            "(!((T == \"a\")) && (lower(trim(B)) == \"true\"))");
  EXPECT_EQ(translate("inputs.parameter_values['struct'] != null || false"),
            "((fromJSON(J) != nil) || false)");
  EXPECT_EQ(translate("string(inputs.parameter_values['number']) == '3'"),
            "(string(float(trim(N))) == \"3\")");
}

TEST(ArgoExpression, ValuesOfDifferentTypesAreNotEqualAsInCel) {
  EXPECT_EQ(translate("inputs.parameter_values['text'] == 3"), "false");
  EXPECT_EQ(translate("inputs.parameter_values['text'] != 3"), "true");
  EXPECT_THROW(translate("inputs.parameter_values['text'] < 3"), core::InputError);
  EXPECT_THROW(translate("inputs.parameter_values['text']"), core::InputError);
  EXPECT_THROW(translate("int(inputs.parameter_values['truth']) == 1"), core::InputError);
}

TEST(ArgoExpression, TextsCannotEndATag) {
  EXPECT_EQ(kfp::argo::quote("a}}\"{{b\n"), "\"a\\u007d\\u007d\\\"\\u007b\\u007bb\\n\"");
  EXPECT_EQ(kfp::argo::literal("plain {text}").text, "plain {text}");
  EXPECT_EQ(kfp::argo::literal("{{x}}").text, "{{=\"\\u007b\\u007bx\\u007d\\u007d\"}}");
  EXPECT_THAT(translate("inputs.parameter_values['text'] == '}}'"), Not(HasSubstr("}}")));
}

TEST(ArgoExpression, TextsOfParameters) {
  EXPECT_EQ(kfp::argo::parameter_text(3.0, ParameterType::kNumberInteger), "3");
  EXPECT_EQ(kfp::argo::parameter_text(9007199254740993, ParameterType::kNumberInteger), "9007199254740993");
  EXPECT_EQ(kfp::argo::parameter_text(0.1, ParameterType::kNumberDouble), "0.1");
  EXPECT_EQ(kfp::argo::parameter_text(true, ParameterType::kBoolean), "true");
  EXPECT_EQ(kfp::argo::parameter_text("a \"b\"", ParameterType::kString), "a \"b\"");
  EXPECT_EQ(kfp::argo::parameter_text(nlohmann::json{1, "a"}, ParameterType::kList), "[1,\"a\"]");
}

TEST(ArgoExpression, OfSelectors) {
  EXPECT_EQ(kfp::argo::to_expression(kfp::ir::parse_selector("parseJson(string_value)[\"a\"][0]"), "X"),
            "let v = fromJSON(X)[\"a\"][0]; type(v) == \"string\" ? v : toJson(v)");
}

}  // namespace
