#include "tune/objectives.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/philox.h"
#include "core/staged_output.h"
#include "support/error_of.h"
#include "support/temp_folder.h"

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using tune::Objective;
using tune::Objectives;
using tune::Trial;
using tune::TrialState;

Trial done(std::int64_t number, std::vector<double> values, std::vector<double> errors) {
  return {
      .number = number, .state = TrialState::kDone, .values = std::move(values), .errors = std::move(errors)};
}

std::vector<std::int64_t> numbers(const std::vector<const Trial*>& trials) {
  std::vector<std::int64_t> out;
  for (const Trial* trial : trials) out.push_back(trial->number);
  return out;
}

TEST(Objectives, AreReadWithTheirErrors) {
  const test::TempFolder folder;
  const auto file = folder.path() / "metrics.json";
  core::write_file(
      file, R"({"summary": {"fpd": 1.5, "fpd_error": 0.2, "kpd": 3}, "cost": {"fast": {"seconds": 2}}})");
  const auto read = [&](const std::string& name) {
    return Objectives::read({.value = "metrics.json:" + name}, file);
  };
  EXPECT_EQ(read("fpd").value, 1.5);
  EXPECT_EQ(read("fpd").error, 0.2);
  EXPECT_TRUE(std::isnan(read("kpd").error));
  EXPECT_EQ(read("cost/fast/seconds").value, 2);
  EXPECT_THAT(test::error_of<core::InputError>([&] { read("fdp"); }).hint, HasSubstr("fpd"));
  EXPECT_THAT(test::error_of<core::InputError>([&] { read("nothing_like_it"); }).hint, HasSubstr("fpd, kpd"));
}

TEST(Objectives, ATrialThatIsBetterWithinErrorsIsNotCalledBetter) {
  const Objectives objectives({{.value = "m.json:a"}});
  const std::vector<Trial> trials = {
      done(0, {1.0}, {0.1}), done(1, {1.2}, {0.1}), done(2, {2.0}, {0.1}), {.number = 3}};
  EXPECT_FALSE(objectives.is_better(trials[0], trials[1]));
  EXPECT_TRUE(objectives.is_better(trials[0], trials[2]));
  EXPECT_THAT(numbers(objectives.best(trials)), ElementsAre(0));
  EXPECT_THAT(numbers(objectives.equal_to_best(trials)), ElementsAre(1));
}

TEST(Objectives, WeightsMakeASumAndNoneAFront) {
  const std::vector<Trial> trials = {done(0, {1, 10}, {NAN, NAN}), done(1, {3, 20}, {NAN, NAN}),
                                     done(2, {2, 5}, {NAN, NAN})};
  const Objectives sum(
      {{.value = "m.json:a", .weight = 1}, {.value = "m.json:b", .goal = "maximize", .weight = 0.5}});
  EXPECT_EQ(sum.loss(trials[1])[0], 3 - 10);
  EXPECT_THAT(numbers(sum.best(trials)), ElementsAre(1));
  const Objectives front({{.value = "m.json:a"}, {.value = "m.json:b", .goal = "maximize"}});
  EXPECT_EQ(front.losses(), 2u);
  EXPECT_THAT(numbers(front.best(trials)), ElementsAre(0, 1));
}

TEST(Objectives, BadOnesAreRefused) {
  EXPECT_THROW(Objectives(std::vector<Objective>{}), core::UsageError);
  EXPECT_THROW(Objectives({{.value = "metrics.json"}}), core::UsageError);
  EXPECT_THROW(Objectives({{.value = "a:b", .weight = 1}, {.value = "a:c"}}), core::UsageError);
}

TEST(Importance, IsThatOfTheParameterThatMatters) {
  const tune::Space space({{.name = "x"}, {.name = "y"}});
  std::vector<Trial> trials;
  std::vector<double> losses;
  core::Philox random(1, 0);
  for (int i = 0; i < 60; ++i) {
    const double x = random.uniform(), y = random.uniform();
    trials.push_back(done(i, {0}, {0}));
    trials.back().parameters = {{"x", x}, {"y", y}};
    losses.push_back(x * x);
  }
  const auto shares = tune::importance(space, trials, losses);
  EXPECT_GT(shares.at("x"), 0.8);
  EXPECT_LT(shares.at("y"), 0.2);
  EXPECT_TRUE(tune::importance(space, {trials[0]}, {0}).empty());
}

TEST(Mean, HasTheErrorOfTheSpread) {
  const tune::Measured spread = tune::mean({{1, NAN}, {2, NAN}, {3, NAN}});
  EXPECT_DOUBLE_EQ(spread.value, 2);
  EXPECT_DOUBLE_EQ(spread.error, 1 / std::sqrt(3.0));
  // Two values that agree by chance are not exact.
  EXPECT_DOUBLE_EQ(tune::mean({{1, 0.3}, {1, 0.4}}).error, 0.25);
  const tune::Measured one = tune::mean({{5, NAN}});
  EXPECT_EQ(one.value, 5);
  EXPECT_TRUE(std::isnan(one.error));
}

}  // namespace
