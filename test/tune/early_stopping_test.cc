#include "tune/early_stopping.h"

#include <gtest/gtest.h>

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

}  // namespace
