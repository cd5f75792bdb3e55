#include "tune/early_stopping.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace {

using tune::EarlyStopping;
using tune::Trial;
using tune::TrialState;

Trial trial(std::int64_t number, std::map<std::int64_t, double> curve,
            TrialState state = TrialState::kRunning) {
  return {.number = number, .state = state, .curve = std::move(curve)};
}

TEST(EarlyStopping, WithoutARuleNothingStops) {
  EXPECT_FALSE(tune::stops({}, {}, trial(0, {{1, 1e9}}), false));
  EXPECT_EQ(tune::promoted({}, {trial(0, {{1, 1}}, TrialState::kStopped)}, true), -1);
}

TEST(EarlyStopping, TheMedianStopsTheWorseHalf) {
  const EarlyStopping rule{.kind = "median", .first_epoch = 2, .fewest_trials = 3};
  std::vector<Trial> trials = {trial(0, {{1, 5}, {2, 1}}), trial(1, {{1, 5}, {2, 2}}),
                               trial(2, {{1, 5}, {2, 3}})};
  const auto stops = [&](std::map<std::int64_t, double> curve) {
    return tune::stops(rule, trials, trial(9, std::move(curve)), true);
  };
  EXPECT_FALSE(stops({{1, 100}}));  // before the first epoch
  EXPECT_TRUE(stops({{1, 100}, {2, 2.5}}));
  EXPECT_FALSE(stops({{1, 100}, {2, 1.5}}));
  EXPECT_FALSE(stops({{1, 1.5}, {2, 50}}));  // its best epoch counts
  trials.pop_back();
  EXPECT_FALSE(stops({{1, 100}, {2, 2.5}}));  // too few others
}

TEST(EarlyStopping, AshaLetsTheBestOfEachRungGoOn) {
  const EarlyStopping rule{.kind = "asha", .first_epoch = 1, .factor = 2};
  std::vector<Trial> trials = {trial(0, {{1, 3}})};
  EXPECT_TRUE(tune::stops(rule, trials, trials[0], false));  // one of one is not among the best half
  trials[0].state = TrialState::kStopped;
  trials.push_back(trial(1, {{1, 4}}));
  EXPECT_TRUE(tune::stops(rule, trials, trials[1], false));
  trials[1].state = TrialState::kStopped;
  // Trial 0 is the better one of two by now, and goes on.
  EXPECT_EQ(tune::promoted(rule, trials, false), 0);
  trials[0].state = TrialState::kRunning;
  EXPECT_EQ(tune::promoted(rule, trials, false), -1);
  trials.push_back(trial(2, {{1, 1}}));
  EXPECT_FALSE(tune::stops(rule, trials, trials[2], false));  // at once
  // The next rung is after epoch 2; between two rungs nothing stops.
  trials[2].curve[2] = 9;
  EXPECT_TRUE(tune::stops(rule, trials, trials[2], false));
  trials[2].curve[3] = 9;
  EXPECT_FALSE(tune::stops(rule, trials, trials[2], false));
}

// When all trials have stopped, the one that came furthest goes to the end.
TEST(EarlyStopping, AshaHasAResult) {
  const EarlyStopping rule{.kind = "asha", .first_epoch = 1, .factor = 3};
  std::vector<Trial> trials = {trial(0, {{1, 3}}, TrialState::kStopped),
                               trial(1, {{1, 2}}, TrialState::kStopped)};
  EXPECT_EQ(tune::promoted(rule, trials, false), -1);
  EXPECT_EQ(tune::promoted(rule, trials, true), 1);
  trials[1].state = TrialState::kRunning;
  trials[1].curve[3] = 9;
  EXPECT_EQ(tune::promoted(rule, trials, true), -1);
  EXPECT_FALSE(tune::stops(rule, trials, trials[1], true));
  trials[0].state = TrialState::kDone;
  EXPECT_TRUE(tune::stops(rule, trials, trials[1], true));
}

// 3 brackets for 9 epochs: 9 trials from epoch 1 on, 5 from epoch 3 on, 3 that are not stopped before epoch 9
// (Table 1 of arXiv:1603.06560 with its formula).
TEST(EarlyStopping, HyperbandHasBrackets) {
  const EarlyStopping rule{.kind = "hyperband", .first_epoch = 1, .factor = 3, .epochs = 9};
  EXPECT_EQ(tune::bracket_count(rule), 3);
  std::vector<int> sizes(3);
  for (int i = 0; i < 2 * 17; ++i) ++sizes.at(static_cast<std::size_t>(tune::bracket_of(rule, i)));
  EXPECT_EQ(sizes, (std::vector<int>{18, 10, 6}));
  EXPECT_EQ(tune::bracket_count({.first_epoch = 2, .factor = 2, .epochs = 17}), 4);
  EXPECT_THROW(tune::bracket_count({.first_epoch = 2, .factor = 2}), core::UsageError);
}

TEST(EarlyStopping, HyperbandComparesTrialsOfABracket) {
  const EarlyStopping rule{.kind = "hyperband", .first_epoch = 1, .factor = 3, .epochs = 9};
  std::vector<Trial> trials;
  trials.reserve(17);
  for (int i = 0; i < 17; ++i) trials.push_back(trial(i, {{1, i < 9 ? 1 : 100}}, TrialState::kRunning));
  EXPECT_TRUE(tune::stops(rule, trials, trials[8], false));   // the last of equal ones in bracket 0
  EXPECT_FALSE(tune::stops(rule, trials, trials[0], false));  // among the best third of it
  EXPECT_FALSE(tune::stops(rule, trials, trials[9], false));  // bracket 1 waits for epoch 3
  trials[9].curve = {{1, 100}, {2, 90}, {3, 80}};
  EXPECT_TRUE(tune::stops(rule, trials, trials[9], false));
  for (int i = 10; i < 12; ++i) trials[static_cast<std::size_t>(i)].curve = {{3, 85}};
  EXPECT_FALSE(tune::stops(rule, trials, trials[9], false));  // the best of three
  trials[9].state = TrialState::kStopped;
  EXPECT_EQ(tune::promoted(rule, trials, false), 9);
  trials[14].curve = {{8, 1}};
  EXPECT_FALSE(tune::stops(rule, trials, trials[14], false));  // bracket 2 waits for epoch 9
}

// When all trials of a bracket have stopped, its best one goes to the end.
TEST(EarlyStopping, EachBracketOfHyperbandHasAResult) {
  const EarlyStopping rule{.kind = "hyperband", .first_epoch = 1, .factor = 3, .epochs = 3};
  EXPECT_EQ(tune::bracket_of(rule, 2), 0);
  EXPECT_EQ(tune::bracket_of(rule, 3), 1);
  const std::vector<Trial> trials = {
      trial(0, {{1, 2}}, TrialState::kFailed), trial(1, {{1, 1}}, TrialState::kStopped),
      trial(2, {{1, 3}}, TrialState::kStopped), trial(3, {{3, 1}}, TrialState::kDone)};
  EXPECT_EQ(tune::promoted(rule, {trials[1], trials[2], trials[3]}, false), -1);
  EXPECT_EQ(tune::promoted(rule, {trials[1], trials[2], trials[3]}, true), 1);
}

}  // namespace
