#include <gtest/gtest.h>

#include "kfp/compile/compile.h"
#include "kfp/dsl/components.h"
#include "kfp/dsl/peer.h"

// Conditions, loops, exit handlers, order: beside the same in Python.
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)
using nlohmann::json;

TEST(Conditions, If) {
  Pipeline p("condition");
  const Value coin = p.task(flip_coin()).output();
  p.if_(
      coin == "heads", [&] { p.task(say()).set("text", coin); }, "got-heads");
  EXPECT_SAME_AS_SDK(compile(p), "condition");
}

TEST(Conditions, CompareAllTypes) {
  Pipeline p("comparisons");
  const Value n = p.parameter("n", kNumberInteger);
  const Value rate = p.parameter("rate", kNumberDouble);
  const Value flag = p.parameter("flag", kBoolean);
  const Value word = p.parameter("word", kString, {.default_value = "a"});
  const Value number = p.task(count()).set("n", n).output();
  const auto say_in = [&](const Condition& condition, const char* text) {
    p.if_(condition, [&] { p.task(say()).set("text", text); });
  };
  say_in(number > 3, "1");
  say_in(number <= rate, "2");
  say_in(rate >= 2, "3");
  say_in(flag == true, "4");
  say_in(word != "b", "5");
  say_in(word == 5, "6");
  say_in(rate < 1e-05, "7");
  say_in(number == n, "8");
  EXPECT_SAME_AS_SDK(compile(p), "comparisons");
}

TEST(Conditions, IfElifElse) {
  Pipeline p("if-elif-else");
  const Value n = p.parameter("n", kNumberInteger, {.default_value = 3});
  const Value coin = p.task(flip_coin()).output();
  const Value number = p.task(count()).set("n", n).output();
  p.if_(coin == "heads",
        [&] {
          p.task(say()).set("text", "heads");
          p.if_(number > 1, [&] { p.task(repeat()).set("text", "nested"); }).else_([&] {
            p.task(repeat()).set("text", coin);
          });
        })
      .elif_(number == 2, [&] { p.task(say()).set("text", "two"); })
      .elif_(
          n == 4, [&] { p.task(say()).set("text", "four"); }, "four")
      .else_([&] { p.task(say()).set("text", fmt::format("none: {} and {}", coin, number)); },
             "none of them");
  EXPECT_SAME_AS_SDK(compile(p), "if_elif_else");
}

TEST(Conditions, OneOf) {
  Pipeline p("one-of");
  const Value n = p.parameter("n", kNumberInteger, {.default_value = 3});
  const Value coin = p.task(flip_coin()).output();
  std::vector<Value> said;
  const auto repeated = [&](const char* text) {
    said.push_back(p.task(repeat()).set("text", text).output());
  };
  p.if_(coin == "heads", [&] { repeated("heads"); }).elif_(n > 2, [&] { repeated("many"); }).else_([&] {
    repeated("tails");
  });
  const Value chosen = one_of(said);
  p.task(say()).set("text", chosen);
  p.if_(n == 1, [&] { p.task(say()).set("text", chosen); });
  p.output("Output", chosen);
  EXPECT_SAME_AS_SDK(compile(p), "one_of");
}

TEST(Conditions, OneOfArtifacts) {
  Pipeline p("one-of-artifacts");
  const Value word = p.parameter("word");
  std::vector<Artifact> models;
  p.if_(word == "a", [&] { models.push_back(p.task(fit()).set("n", 1).artifact()); }).else_([&] {
    models.push_back(p.task(fit()).set("n", 2).artifact());
  });
  const Artifact chosen = one_of(models);
  p.task(use()).set("model", chosen);
  p.output("Output", chosen);
  EXPECT_SAME_AS_SDK(compile(p), "one_of_artifacts");
}

TEST(Loops, OverConstants) {
  Pipeline p("constant-loops");
  const Value word = p.parameter("word");
  p.for_each(json{"a", "b", "ü"}, [&](const Value& item) {
    p.task(repeat()).set("text", item);
    p.task(say()).set("text", word);
  });
  p.for_each(json{1, 2, 3},
             [&](const Value& item) {
               const Value counted = p.task(count()).set("n", item).output();
               p.if_(item == 2, [&] {
                 p.task(say()).set("text", "two");
                 p.task(count()).set("n", item);
               });
               p.if_(counted > 1, [&] { p.task(count()).set("n", counted); });
             },
             {.parallelism = 2, .name = "numbers"});
  p.for_each(json::array({{{"a", 1}, {"b", 10}}, {{"a", 2}, {"b", 20}}}), [&](const Value& item) {
    p.task(count()).set("n", item["a"]);
    p.task(count()).set("n", item["b"]);
    p.if_(item["b"] > 10, [&] { p.task(say()).set("text", "large"); });
  });
  p.for_each(json::array({{1, 2}, {3}}), [&](const Value& row) {
    p.for_each(row, [&](const Value& cell) { p.task(repeat()).set("text", cell); });
  });
  p.for_each(json{0.1, 2.5}, [&](const Value& outer) {
    p.for_each(json{"x", "y"}, [&](const Value& inner) {
      p.task(prepare())
          .set("showers", p.importer({.uri = inner, .type = "system.Dataset"}).artifact())
          .set("fraction", outer)
          .set("seed", 3);
      p.task(repeat()).set("text", fmt::format("{} and {}", outer, word));
    });
  });
  EXPECT_SAME_AS_SDK(compile(p), "constant_loops");
}

TEST(Loops, OverValues) {
  Pipeline p("loops");
  const Value words = p.parameter("words", list_of(kString));
  const Value settings = p.parameter("settings", list_of(struct_of(kNumberInteger)));
  const Value groups = p.parameter("groups", list_of(struct_of(list_of(kString))));
  const Value anything = p.parameter("anything", kList);
  const Task parts = p.task(split());
  p.for_each(words, [&](const Value& word) { p.task(repeat()).set("text", word); });
  p.for_each(settings, [&](const Value& setting) {
    p.task(count()).set("n", setting["epochs"]);
    p.if_(setting["layers"] > 2, [&] { p.task(count()).set("n", setting["layers"]); });
  });
  p.for_each(parts.output("names"),
             [&](const Value& name) {
               p.if_(name == "x", [&] { p.task(repeat()).set("text", name); });
               p.task(say()).set("text", name);
             },
             {.parallelism = 4});
  p.for_each(parts.output("settings"), [&](const Value& setting) { p.task(count()).set("n", setting["a"]); });
  p.for_each(groups, [&](const Value& group) {
    p.for_each(group["members"], [&](const Value& member) { p.task(say()).set("text", member); });
  });
  p.for_each(anything, [&](const Value& item) {
    p.task(say()).set("text", item);
    p.for_each(words, [&](const Value& word) {
      p.task(say()).set("text", word);
      p.task(repeat()).set("text", item);
    });
  });
  EXPECT_SAME_AS_SDK(compile(p), "loops");
}

TEST(Loops, Collected) {
  Pipeline p("collected");
  const Value numbers = p.parameter("numbers", list_of(kNumberInteger), {.default_value = json{1, 2}});
  std::optional<Value> counted, inner, sums;
  std::optional<Artifact> fitted;
  p.for_each(json{1, 2, 3}, [&](const Value& n) {
    counted = p.task(count()).set("n", n).output();
    p.for_each(numbers, [&](const Value& m) {
      inner = p.task(count()).set("n", m).output();
      fitted = p.task(fit()).set("n", n).artifact();
    });
    sums = p.task(add_up()).set("numbers", collected(*inner)).output();
  });
  const Value sum = p.task(add_up()).set("numbers", collected(*counted)).output();
  p.task(merge()).set("models", collected(*fitted));
  p.if_(sum == 2, [&] { p.task(add_up()).set("numbers", collected(*sums)); });
  p.output("Output", collected(*inner));
  EXPECT_SAME_AS_SDK(compile(p), "collected");
}

TEST(ExitHandlers, RunAtTheEnd) {
  Pipeline p("exit-handlers");
  const Value word = p.parameter("word");
  const Value url = p.parameter("url", kString, {.default_value = "u"});
  p.exit_handler(
      p.task(clean_up()).set("text", url),
      [&] {
        p.task(say()).set("text", p.task(repeat()).set("text", word).output());
        p.if_(word == "a", [&] { p.task(say()).set("text", word); });
      },
      "all of it");
  const ExitHandler handler =
      p.exit_handler(p.task(say()).set("text", "done"), [&] { p.task(wait_a_bit()); });
  p.task(wait_a_bit()).after(handler);
  EXPECT_SAME_AS_SDK(compile(p), "exit_handlers");
}

TEST(ExitHandlers, RunPipelines) {
  Pipeline at_exit("at-exit");
  at_exit.task(say()).set("text", at_exit.parameter("word"));
  at_exit.task(wait_a_bit());
  Pipeline p("pipeline-at-exit");
  const Value word = p.parameter("word", kString, {.default_value = "w"});
  p.exit_handler(p.task(at_exit).set("word", word), [&] { p.task(say()).set("text", "first"); });
  EXPECT_SAME_AS_SDK(compile(p), "pipeline_at_exit");
}

TEST(Failures, OfUpstreamAreIgnored) {
  Pipeline p("ignore-upstream-failure");
  const Task first = p.task(flip_coin());
  p.task(clean_up()).set("text", "constant").after(first).ignore_upstream_failure();
  p.task(guess()).set("a", first.output()).ignore_upstream_failure();
  p.for_each(json{"a", "b"}, [&](const Value& item) {
    const Task made = p.task(repeat()).set("text", item);
    p.task(clean_up())
        .set("text", item)
        .set("status", final_status(made))
        .after(made)
        .ignore_upstream_failure();
  });
  EXPECT_SAME_AS_SDK(compile(p), "ignore_upstream_failure");
}

TEST(Order, After) {
  Pipeline p("after");
  const Value word = p.parameter("word");
  const Task first = p.task(wait_a_bit());
  const Task second = p.task(wait_a_bit()).after(first);
  p.if_(word == "a", [&] {
    const Task inside = p.task(say()).set("text", "a").after(first);
    p.task(repeat()).set("text", "b").after(inside).after(second);
  });
  std::optional<Task> third;
  p.for_each(json{"a", "b"},
             [&](const Value& item) { third = p.task(say()).set("text", item).after(second); });
  p.for_each(json{"c", "d"}, [&](const Value& item) { p.task(say()).set("text", item).after(*third); });
  EXPECT_SAME_AS_SDK(compile(p), "after");
}

}  // namespace
