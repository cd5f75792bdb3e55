#include "tune/algorithm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "support/error_of.h"
#include "tune/pareto.h"

namespace {

using nlohmann::json;
using testing::HasSubstr;
using tune::Dimension;
using tune::History;
using tune::Observation;
using tune::Space;

Space numbers() {
  return Space({{.name = "x", .low = -1, .high = 1},
                {.name = "n", .kind = Dimension::Kind::kInteger, .low = 1, .high = 32, .log = true}});
}

Space mixed() {
  return Space({{.name = "x", .low = -1, .high = 1},
                {.name = "kind", .kind = Dimension::Kind::kCategorical, .choices = {"a", "b"}},
                {.name = "own", .condition = Dimension::Condition{.parameter = "kind", .values = {"b"}}}});
}

double loss(const tune::Parameters& p) {
  double sum = std::pow(p.at("x").get<double>() - 0.3, 2);
  if (p.contains("n")) sum += std::pow(std::log(p.at("n").get<double>() / 8), 2);
  if (p.contains("kind")) sum += p.at("kind") == "b" ? std::abs(p.at("own").get<double>() - 0.5) : 0.4;
  return sum;
}

History run(const tune::Algorithm& algorithm, int trials) {
  History history;
  for (int number = 0; number < trials; ++number) {
    const auto proposal = algorithm.ask(history, number);
    if (!proposal) break;
    Observation one{.number = number, .parameters = proposal->parameters, .note = proposal->note};
    // Some trials fail, and some are stopped.
    one.state = number % 11 == 5   ? Observation::State::kFailed
                : number % 13 == 7 ? Observation::State::kStopped
                                   : Observation::State::kDone;
    if (one.state == Observation::State::kDone) one.losses = {loss(one.parameters)};
    history.push_back(std::move(one));
  }
  return history;
}

class Algorithms : public testing::TestWithParam<std::string> {};

TEST_P(Algorithms, TheSameSeedAndHistoryGiveTheSamePoint) {
  const auto first = tune::make_algorithm(GetParam(), numbers(), {.seed = 3});
  const auto second = tune::make_algorithm(GetParam(), numbers(), {.seed = 3});
  const auto other = tune::make_algorithm(GetParam(), numbers(), {.seed = 4});
  const History history = run(*first, 30);
  EXPECT_EQ(first->ask(history, 30)->parameters, second->ask(history, 30)->parameters);
  EXPECT_NE(run(*other, 30).front().parameters, history.front().parameters);
  EXPECT_EQ(run(*second, 30).back().parameters, history.back().parameters);
}

TEST_P(Algorithms, PointsAreInTheirRanges) {
  const auto algorithm = tune::make_algorithm(GetParam(), numbers(), {.seed = 1});
  for (const Observation& one : run(*algorithm, 60)) {
    EXPECT_LE(std::abs(one.parameters.at("x").get<double>()), 1);
    ASSERT_TRUE(one.parameters.at("n").is_number_integer());
    EXPECT_GE(one.parameters.at("n").get<int>(), 1);
    EXPECT_LE(one.parameters.at("n").get<int>(), 32);
  }
}

// Several workers ask while the trials of others run, and get different points.
TEST_P(Algorithms, RunningTrialsAreNotTriedAgain) {
  const auto algorithm = tune::make_algorithm(GetParam(), numbers(), {.seed = 5});
  History history = run(*algorithm, 25);
  std::set<double> seen;
  for (int i = 0; i < 6; ++i) {
    const auto proposal = algorithm->ask(history, 25 + i);
    EXPECT_TRUE(seen.insert(proposal->parameters.at("x").get<double>()).second);
    history.push_back({.number = 25 + i,
                       .state = Observation::State::kRunning,
                       .parameters = proposal->parameters,
                       .note = proposal->note});
  }
}

TEST_P(Algorithms, AHistoryOfFailuresIsNoProblem) {
  const auto algorithm = tune::make_algorithm(GetParam(), numbers(), {.seed = 5});
  History history;
  for (int i = 0; i < 40; ++i) {
    const auto proposal = algorithm->ask(history, i);
    ASSERT_TRUE(proposal);
    history.push_back({.number = i,
                       .state = Observation::State::kFailed,
                       .parameters = proposal->parameters,
                       .note = proposal->note});
  }
}

INSTANTIATE_TEST_SUITE_P(All, Algorithms, testing::Values("random", "sobol", "tpe", "cma-es", "gp"),
                         [](const auto& algorithm) {
                           return algorithm.param == "cma-es" ? std::string("cma_es") : algorithm.param;
                         });

TEST(Algorithm, ConditionsHold) {
  for (const char* name : {"random", "sobol", "tpe", "gp"})
    for (const bool multivariate : {false, true}) {
      const auto algorithm = tune::make_algorithm(name, mixed(), {.seed = 2, .multivariate = multivariate});
      for (const Observation& one : run(*algorithm, 40))
        EXPECT_EQ(one.parameters.contains("own"), one.parameters.at("kind") == "b") << name;
    }
}

TEST(Algorithm, AGridHasEveryCombinationOnce) {
  const Space space({{.name = "x", .low = 0, .high = 1, .points = 3},
                     {.name = "n", .kind = Dimension::Kind::kInteger, .low = 1, .high = 2},
                     {.name = "kind", .kind = Dimension::Kind::kCategorical, .choices = {"a", "b"}},
                     {.name = "own",
                      .low = 1e-4,
                      .high = 1e-2,
                      .log = true,
                      .points = 3,
                      .condition = Dimension::Condition{.parameter = "kind", .values = {"b"}}}});
  const auto grid = tune::make_algorithm("grid", space, {});
  std::set<std::string> points;
  int number = 0;
  for (; const auto proposal = grid->ask({}, number); ++number) points.insert(proposal->parameters.dump());
  EXPECT_EQ(number, 3 * 2 * (1 + 3));
  EXPECT_EQ(points.size(), static_cast<std::size_t>(number));
  EXPECT_TRUE(points.contains(R"({"kind":"b","n":2,"own":0.001,"x":0.5})")) << *points.rbegin();
}

TEST(Algorithm, WhatDoesNotSuitIsRefused) {
  const auto refused = [](const std::string& name, const Space& space, std::size_t objectives) {
    try {
      tune::make_algorithm(name, space, {.objectives = objectives});
    } catch (const core::Error& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  EXPECT_THAT(refused("tpo", numbers(), 1), HasSubstr("did you mean \"tpe\""));
  EXPECT_THAT(refused("gp", numbers(), 2), HasSubstr("Pareto front"));
  EXPECT_THAT(refused("cma-es", mixed(), 1), HasSubstr("without conditions"));
  EXPECT_THAT(refused("grid", numbers(), 1), HasSubstr("continuous"));
}

TEST(Pareto, TheFrontIsWhatNothingDominates) {
  const std::vector<std::vector<double>> losses = {{1, 5}, {2, 2}, {3, 3}, {5, 1}, {2, 2}, {6, 6}};
  EXPECT_THAT(tune::pareto_front(losses), testing::ElementsAre(0, 1, 3, 4));
  const auto order = tune::ranked(losses);
  EXPECT_EQ(order.back(), 5u);
  EXPECT_THAT(order, testing::UnorderedElementsAre(0, 1, 2, 3, 4, 5));
}

// Two objectives that pull apart: the trials spread over the front, better than random ones.
TEST(Tpe, FindsAParetoFront) {
  const Space space({{.name = "x", .low = 0, .high = 1}, {.name = "y", .low = 0, .high = 1}});
  const auto near_front = [&](const std::string& name) {
    int near = 0;
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      const auto algorithm = tune::make_algorithm(name, space, {.seed = seed, .objectives = 2});
      History history;
      for (int i = 0; i < 100; ++i) {
        const auto p = algorithm->ask(history, i)->parameters;
        const double x = p.at("x").get<double>(), y = p.at("y").get<double>();
        history.push_back(
            {.number = i, .state = Observation::State::kDone, .parameters = p, .losses = {x + y, 1 - x + y}});
        near += y < 0.1 ? 1 : 0;
      }
    }
    return near;
  };
  EXPECT_GT(near_front("tpe"), 2 * near_front("random"));
}

}  // namespace
