#include "tune/space.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "core/philox.h"
#include "support/error_of.h"

namespace {

using nlohmann::json;
using testing::HasSubstr;
using tune::Dimension;
using tune::Space;

// Parameters as a component declares them.
struct Declared {
  double lr = 0.1, share = 0.5;
  std::int64_t epochs = 3;
  std::string kind = "a";
  bool flag = false;

  core::ParameterField operator()(const std::string& name) {
    if (name == "c.lr") return {"lr", &lr, {.min = 0, .above_min = true}};
    if (name == "c.share") return {"share", &share, {.min = 0, .max = 1}};
    if (name == "c.epochs") return {"epochs", &epochs, {.min = 1, .max = 100}};
    if (name == "c.kind") return {"kind", &kind, {.choices = {"a", "b", "c"}}};
    if (name == "c.flag") return {"flag", &flag, {}};
    throw core::UsageError({.message = "is not a parameter", .hint = "did you mean \"c.lr\"?"});
  }
};

Space read(const std::string& text) {
  Declared declared;
  return tune::read_space(
      json::parse(text), [&](const std::string& name) { return declared(name); }, "tune.yaml");
}

core::ErrorDetails refused(const std::string& text) {
  return test::error_of<core::InputError>([&] { read(text); });
}

TEST(Space, RangesComeFromTheDeclarationsIfTheFileHasNone) {
  const Space space = read(R"({"c.share": null, "c.epochs": {}, "c.kind": null, "c.flag": null})");
  EXPECT_EQ(space.at("c.share").high, 1);
  EXPECT_EQ(space.at("c.epochs").low, 1);
  EXPECT_EQ(space.at("c.epochs").size(), 100);
  EXPECT_EQ(space.at("c.kind").choices, (std::vector<json>{"a", "b", "c"}));
  EXPECT_EQ(space.at("c.flag").size(), 2);
}

TEST(Space, ValuesAreTypedAsDeclared) {
  const Space space = read(R"({"c.lr": [1, 2], "c.epochs": {"range": [2, 8], "step": 2}})");
  EXPECT_TRUE(space.at("c.lr").value(0).is_number_float());
  EXPECT_EQ(space.at("c.epochs").value(0.99), 8);
  EXPECT_TRUE(space.at("c.epochs").value(0).is_number_integer());
}

// Every value has its own interval of places, and the intervals fill the range.
TEST(Space, PlacesAndValuesBelongTogether) {
  const Space space =
      read(R"({"c.lr": {"range": [1e-5, 0.1], "log": true}, "c.epochs": {"range": [1, 64], "log": true},
                               "c.share": {"range": [0, 1], "step": 0.1}, "c.kind": null})");
  for (const Dimension& dimension : space.dimensions()) {
    core::Philox random(7, 0);
    std::set<json> seen;
    for (int i = 0; i < 5000; ++i) {
      const double place = random.uniform();
      const json value = dimension.value(place);
      const Dimension::Interval interval = dimension.interval(value);
      EXPECT_GE(place, interval.low - 1e-6) << dimension.name << value;
      EXPECT_LE(place, interval.high + 1e-6) << dimension.name << value;
      const json again = dimension.value(interval.middle());
      if (value.is_number_float()) {
        EXPECT_NEAR(again.get<double>(), value.get<double>(), 1e-9) << dimension.name;
      } else {
        EXPECT_EQ(again, value) << dimension.name;
      }
      seen.insert(value);
    }
    if (dimension.size() == 0) continue;
    EXPECT_EQ(static_cast<std::int64_t>(seen.size()), dimension.size()) << dimension.name;
  }
}

TEST(Space, ADimensionExistsOnlyIfItsConditionIsMet) {
  const Space space = read(R"({"c.epochs": {"if": {"c.kind": ["b", "c"]}}, "c.kind": null})");
  EXPECT_EQ(space.dimensions()[0].name, "c.kind");
  EXPECT_FALSE(space.values({0.1, 0.5}).contains("c.epochs"));
  EXPECT_TRUE(space.values({0.9, 0.5}).contains("c.epochs"));
}

TEST(Space, SurvivesJson) {
  const Space space = read(
      R"({"c.lr": {"range": [1e-5, 0.1], "log": true, "points": 3}, "c.epochs": {"if": {"c.kind": "b"}}, "c.kind": null})");
  EXPECT_EQ(Space::from_json(space.to_json()).to_json(), space.to_json());
}

TEST(Space, BadInputIsNamed) {
  EXPECT_THAT(refused(R"({"c.rl": [1, 2]})").hint, HasSubstr("c.lr"));
  EXPECT_EQ(refused(R"({"c.rl": [1, 2]})").field, "space.c.rl");
  EXPECT_THAT(refused(R"({"c.lr": {"range": [0.1, 0.1]}})").message, HasSubstr("empty range"));
  EXPECT_THAT(refused(R"({"c.lr": {"range": [2, 1]}})").message, HasSubstr("empty range"));
  EXPECT_THAT(refused(R"({"c.lr": {"range": [0, 1]}})").message, HasSubstr("cannot be 0"));
  EXPECT_THAT(refused(R"({"c.lr": null})").hint, HasSubstr("range: [low, high]"));
  EXPECT_THAT(refused(R"({"c.share": {"range": [0, 2]}})").hint, HasSubstr("at most 1"));
  EXPECT_THAT(refused(R"({"c.share": {"range": [0, 1], "log": true}})").message, HasSubstr("above 0"));
  EXPECT_THAT(refused(R"({"c.share": {"range": [0, 1], "step": 2}})").message, HasSubstr("step"));
  EXPECT_THAT(refused(R"({"c.epochs": {"range": [1, 9], "step": 0.5}})").message, HasSubstr("integer"));
  EXPECT_THAT(refused(R"({"c.kind": {"values": []}})").message, HasSubstr("empty range"));
  EXPECT_THAT(refused(R"({"c.kind": ["a", "z"]})").message, HasSubstr("cannot be \"z\""));
  EXPECT_THAT(refused(R"({"c.kind": ["a", "a"]})").message, HasSubstr("twice"));
  EXPECT_THAT(refused(R"({"c.kind": {"range": [1, 2]}})").message, HasSubstr("has no range"));
  EXPECT_THAT(refused(R"({"c.epochs": {"if": {"c.flag": true}}})").message, HasSubstr("not searched"));
  EXPECT_THAT(refused(R"({"c.epochs": {"if": {"c.kind": "z"}}, "c.kind": null})").message,
              HasSubstr("cannot be"));
  EXPECT_THAT(refused(R"({"c.kind": {"if": {"c.flag": true}}, "c.flag": {"if": {"c.kind": "a"}}})").message,
              HasSubstr("depends on itself"));
  EXPECT_THAT(refused(R"({"c.epochs": {"rnage": [1, 2]}})").hint, HasSubstr("range"));
  EXPECT_THAT(refused("{}").message, HasSubstr("no parameters"));
  EXPECT_THAT(refused("[]").message, HasSubstr("mapping"));
}

}  // namespace
