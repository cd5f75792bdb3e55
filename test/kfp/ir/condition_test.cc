#include "kfp/ir/condition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "kfp/ir/document.h"
#include "kfp/ir/goldens.h"

// What is true, false or an error here was asked of cel-go, which the open-source backend uses, with the same
// parameters.
namespace {

using kfp::ir::evaluate_condition;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

const std::map<std::string, json> kValues = {{"i", 3},
                                             {"d", 2.5},
                                             {"s", "heads"},
                                             {"t", true},
                                             {"n", nullptr},
                                             {"big", 1234567},
                                             {"huge", 1e21},
                                             {"si", "3"},
                                             {"l", json{1, 2, "x"}},
                                             {"quote's \"", "it's"}};

bool is_true(const char* cel) {
  return evaluate_condition(cel, kValues);
}

TEST(Condition, ComparesNumbersAsNumbers) {
  EXPECT_TRUE(is_true("int(inputs.parameter_values['i']) == 3"));
  EXPECT_TRUE(is_true("inputs.parameter_values['i'] == 3"));
  EXPECT_TRUE(is_true("inputs.parameter_values['i'] == 3.0"));
  EXPECT_TRUE(is_true("inputs.parameter_values['i'] < 4"));
  EXPECT_TRUE(is_true("inputs.parameter_values['i'] < 3.5"));
  EXPECT_FALSE(is_true("inputs.parameter_values['i'] < 3"));
  EXPECT_TRUE(is_true("inputs.parameter_values['i'] <= 3"));
  EXPECT_TRUE(is_true("inputs.parameter_values['i'] >= inputs.parameter_values['d']"));
  EXPECT_TRUE(is_true("inputs.parameter_values['d'] > -1e2"));
  EXPECT_TRUE(is_true("inputs.parameter_values['i'] != inputs.parameter_values['d']"));
  EXPECT_TRUE(is_true("9007199254740993 != 9007199254740992"));
}

TEST(Condition, ValuesOfDifferentTypesAreNotEqualAndNotOrdered) {
  EXPECT_FALSE(is_true("inputs.parameter_values['s'] == 3"));
  EXPECT_FALSE(is_true("inputs.parameter_values['si'] == 3"));
  EXPECT_TRUE(is_true("inputs.parameter_values['n'] == null"));
  EXPECT_FALSE(is_true("inputs.parameter_values['n'] == ''"));
  EXPECT_TRUE(is_true("inputs.parameter_values['l'] == inputs.parameter_values['l']"));
  EXPECT_THROW(is_true("inputs.parameter_values['s'] < 3"), core::InputError);
  EXPECT_THROW(is_true("inputs.parameter_values['n'] < null"), core::InputError);
  EXPECT_TRUE(is_true("'a' < 'b' && false < true"));
}

TEST(Condition, Converts) {
  EXPECT_TRUE(is_true("int(inputs.parameter_values['si']) == 3"));
  EXPECT_TRUE(is_true("int('+3') == 3 && int(2.7) == 2 && int(-2.7) == -2"));
  EXPECT_TRUE(is_true("double('2.5') == inputs.parameter_values['d']"));
  EXPECT_TRUE(is_true("bool('True') && !bool('f')"));
  EXPECT_TRUE(is_true("string(inputs.parameter_values['i']) == '3'"));
  EXPECT_TRUE(is_true("string(inputs.parameter_values['big']) == '1.234567e+06'"));
  EXPECT_TRUE(is_true("string(inputs.parameter_values['huge']) == '1e+21'"));
  EXPECT_TRUE(is_true("string(0.00001) == '1e-05' && string(0.5) == '0.5' && string(true) == 'true'"));
  EXPECT_TRUE(is_true("string(1234567) == '1234567'"));
  for (const char* wrong :
       {"int('2.7') == 2", "int(' 3') == 3", "int(inputs.parameter_values['t']) == 1", "bool('yes')",
        "bool(1)", "int(inputs.parameter_values['huge']) == 1", "string(inputs.parameter_values['n']) == ''"})
    EXPECT_THROW(is_true(wrong), core::InputError) << wrong;
}

TEST(Condition, DecidesFromOneSideWhereThatIsEnough) {
  EXPECT_TRUE(is_true("inputs.parameter_values['none'] == 'a' || inputs.parameter_values['t']"));
  EXPECT_FALSE(is_true("inputs.parameter_values['none'] == 'a' && inputs.parameter_values['i'] == 4"));
  EXPECT_THAT([] { is_true("inputs.parameter_values['none'] == 'a' || !inputs.parameter_values['t']"); },
              ThrowsMessage<core::InputError>(HasSubstr("no parameter \"none\"")));
}

TEST(Condition, BindsAsCelDoes) {
  EXPECT_TRUE(is_true("true || false && false"));
  EXPECT_FALSE(is_true("(true || false) && false"));
  EXPECT_TRUE(is_true("!(1 == 2) && !false"));
  EXPECT_TRUE(is_true("!!true"));
  EXPECT_TRUE(is_true("1 == 1 == true"));
  EXPECT_THROW(is_true("!inputs.parameter_values['s']"), core::InputError);
  EXPECT_THROW(is_true("inputs.parameter_values['s']"), core::InputError);
}

TEST(Condition, ReadsTextsInBothQuotes) {
  EXPECT_TRUE(is_true(R"(inputs.parameter_values["s"] == "he\x61ds")"));
  EXPECT_TRUE(is_true(R"(inputs.parameter_values.s == 'heads')"));
  EXPECT_TRUE(is_true(R"(inputs.parameter_values['quote\'s "'] == 'it\'s')"));
  EXPECT_THROW(is_true("'a\n' == 'a'"), core::InputError);  // a text may not go over lines
}

TEST(Condition, ReadsEscapes) {
  const kfp::ir::Condition text = kfp::ir::parse_condition(R"('\060\u00e9\U0001F600\n\\')");
  EXPECT_EQ(text.value, "0é😀\n\\");
}

TEST(Condition, NamesThePlaceOfAMistake) {
  const std::pair<const char*, const char*> wrong[] = {
      {"", "expected a value at 1"},
      {"1 ==", "expected a value at 5"},
      {"'a", "string without an end at 3"},
      {"(1 == 1", "expected \")\" at 8"},
      {"1 == 1 1", "unexpected text at 8"},
      {"size('a') == 1", "\"size\" is unknown at 5"},
      {"inputs.artifacts['a'] == 1", "\"inputs.artifacts\" is unknown at 17"},
      {"inputs.parameter_values[0] == 1", "name of a parameter in quotes at 25"},
      {"1 + 1 == 2", "unexpected text at 3"},
      {"99999999999999999999 == 1", "fits 64 bits at 1"},
      {"5. < 6", "expected a number"},
      {R"('\q' == 'q')", "unknown escape at 4"},
      {R"('\ud800' == '')", "not a Unicode character"},
  };
  for (const auto& [cel, message] : wrong)
    EXPECT_THAT([&] { kfp::ir::parse_condition(cel); }, ThrowsMessage<core::InputError>(HasSubstr(message)))
        << cel;
}

TEST(Condition, DeepNestingIsAnError) {
  EXPECT_THROW(kfp::ir::parse_condition(std::string(100000, '(')), core::InputError);
  EXPECT_THROW(kfp::ir::parse_condition(std::string(100000, '!') + "true"), core::InputError);
  std::string chain = "true";
  for (int i = 0; i < 100000; ++i) chain += " && true";
  EXPECT_THROW(kfp::ir::parse_condition(chain), core::InputError);
}

TEST(Condition, NamesItsInputs) {
  EXPECT_THAT(
      kfp::ir::inputs_of_condition(kfp::ir::parse_condition(
          R"(inputs.parameter_values['b'] == "inputs.parameter_values['x']" || inputs.parameter_values.a == 1)")),
      ElementsAre("b", "a"));
}

void collect(const kfp::ir::Dag& dag, std::vector<std::string>& conditions,
             std::vector<std::string>& selectors) {
  for (const auto& [name, task] : dag.tasks) {
    if (task.trigger_policy && task.trigger_policy->condition)
      conditions.push_back(*task.trigger_policy->condition);
    if (!task.inputs) continue;
    for (const auto& [input, source] : task.inputs->parameters)
      if (source.parameter_expression_selector) selectors.push_back(*source.parameter_expression_selector);
  }
}

TEST(Condition, AllOfTheSdksPipelinesAreRead) {
  std::vector<std::string> conditions, selectors;
  for (const auto& file : test::goldens()) {
    const kfp::ir::Pipeline pipeline = kfp::ir::read_pipeline(file);
    collect(*pipeline.spec.root->dag, conditions, selectors);
    for (const auto& [name, component] : pipeline.spec.components)
      if (component.dag) collect(*component.dag, conditions, selectors);
  }
  EXPECT_GE(conditions.size(), 18u);
  EXPECT_GE(selectors.size(), 10u);
  for (const std::string& condition : conditions)
    EXPECT_NO_THROW(kfp::ir::parse_condition(condition)) << condition;
  for (const std::string& selector : selectors)
    EXPECT_NO_THROW(kfp::ir::parse_selector(selector)) << selector;
}

TEST(Select, TakesAPartOfAValue) {
  const json value = {{"A_a", "1"}, {"B", {{"c", {10, 20}}}}, {"text", "{\"x\": 5}"}};
  EXPECT_EQ(kfp::ir::select("parseJson(string_value)[\"A_a\"]", value), "1");
  EXPECT_EQ(kfp::ir::select("parseJson(string_value)['B'][\"c\"][1]", value.dump()), 20);
  EXPECT_EQ(kfp::ir::select("parseJson(string_value).B.c", value), (json{10, 20}));
  EXPECT_EQ(kfp::ir::select("parseJson(parseJson(string_value)['text'])['x']", value), 5);
  EXPECT_EQ(kfp::ir::select("struct_value['A_a']", value), "1");
}

TEST(Select, RefusesWhatIsNotThere) {
  const json value = {{"a", {1}}};
  for (const char* wrong : {"parseJson(string_value)['b']", "parseJson(string_value)['a'][1]",
                            "parseJson(string_value)[0]", "parseJson(string_value)['a']['b']",
                            "parseJson(string_value)['a'", "parseJson(string_value)[-1]", "other['a']"})
    EXPECT_THROW(kfp::ir::select(wrong, value), core::InputError) << wrong;
  EXPECT_THROW(kfp::ir::select("parseJson(string_value)['a']", "no json"), core::InputError);
}

}  // namespace
