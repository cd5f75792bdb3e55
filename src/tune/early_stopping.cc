#include "tune/early_stopping.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <optional>

#include "core/error.h"

namespace tune {
namespace {

double best_until(const Trial& trial, std::int64_t epoch) {
  double best = std::numeric_limits<double>::infinity();
  for (const auto& [at, value] : trial.curve)
    if (at <= epoch) best = std::min(best, value);
  return best;
}

std::int64_t last_epoch(const Trial& trial) {
  return trial.curve.empty() ? 0 : trial.curve.rbegin()->first;
}

bool stops_by_median(const EarlyStopping& rule, const std::vector<Trial>& trials, const Trial& trial) {
  const std::int64_t epoch = last_epoch(trial);
  std::vector<double> others;
  for (const Trial& other : trials)
    if (other.number != trial.number && last_epoch(other) >= epoch)
      others.push_back(best_until(other, epoch));
  if (static_cast<std::int64_t>(others.size()) < rule.fewest_trials) return false;
  const auto middle = others.begin() + static_cast<std::ptrdiff_t>(others.size() / 2);
  std::nth_element(others.begin(), middle, others.end());
  return best_until(trial, epoch) > *middle;
}

// The last rung that a trial has reached; nullopt if none.
std::optional<std::int64_t> rung_of(const EarlyStopping& rule, const Trial& trial) {
  if (last_epoch(trial) < rule.first_epoch) return std::nullopt;
  std::int64_t rung = rule.first_epoch;
  while (rung <= last_epoch(trial) / rule.factor) rung *= rule.factor;
  return rung;
}

// True if the trial is among the best of those that reached the rung.
bool is_promotable(const EarlyStopping& rule, const std::vector<Trial>& trials, const Trial& trial,
                   std::int64_t rung) {
  const double own = best_until(trial, rung);
  std::int64_t reached = 0, better = 0;
  for (const Trial& other : trials) {
    if (last_epoch(other) < rung) continue;
    ++reached;
    const double value = best_until(other, rung);
    better += other.number != trial.number && (value < own || (value == own && other.number < trial.number))
                  ? 1
                  : 0;
  }
  return better < reached / rule.factor;
}

// True if no other trial runs, will run or is done.
bool is_last(const std::vector<Trial>& trials, const Trial* trial) {
  return std::all_of(trials.begin(), trials.end(), [&](const Trial& other) {
    return (trial != nullptr && other.number == trial->number) || other.state == TrialState::kStopped ||
           other.state == TrialState::kFailed;
  });
}

// The best of the trials that came furthest; negative if there is none.
std::int64_t furthest(const EarlyStopping& rule, const std::vector<Trial>& trials) {
  const Trial* best = nullptr;
  for (const Trial& trial : trials) {
    if (trial.state != TrialState::kStopped) continue;
    const auto rung = rung_of(rule, trial);
    const auto best_rung = best != nullptr ? rung_of(rule, *best) : std::nullopt;
    if (best == nullptr || rung > best_rung ||
        (rung == best_rung && best_until(trial, rung.value_or(0)) < best_until(*best, rung.value_or(0))))
      best = &trial;
  }
  return best != nullptr ? best->number : -1;
}

bool stops_by_asha(const EarlyStopping& rule, const std::vector<Trial>& trials, const Trial& trial,
                   bool is_complete) {
  if (last_epoch(trial) < rule.first_epoch || (is_complete && is_last(trials, &trial))) return false;
  const std::int64_t rung = *rung_of(rule, trial);
  return rung == last_epoch(trial) && !is_promotable(rule, trials, trial, rung);
}

std::int64_t promoted_by_asha(const EarlyStopping& rule, const std::vector<Trial>& trials, bool is_complete) {
  for (const Trial& trial : trials) {
    if (trial.state != TrialState::kStopped) continue;
    const auto rung = rung_of(rule, trial);
    if (rung && is_promotable(rule, trials, trial, *rung)) return trial.number;
  }
  return is_complete && is_last(trials, nullptr) ? furthest(rule, trials) : -1;
}

// ASHA's rule of a bracket.
EarlyStopping rule_of(const EarlyStopping& rule, std::int64_t bracket) {
  EarlyStopping own = rule;
  for (std::int64_t i = 0; i < bracket; ++i) own.first_epoch *= rule.factor;
  return own;
}

std::vector<Trial> trials_of(const EarlyStopping& rule, const std::vector<Trial>& trials,
                             std::int64_t bracket) {
  std::vector<Trial> own;
  std::copy_if(trials.begin(), trials.end(), std::back_inserter(own),
               [&](const Trial& trial) { return bracket_of(rule, trial.number) == bracket; });
  return own;
}

}  // namespace

std::int64_t bracket_count(const EarlyStopping& rule) {
  if (rule.epochs < rule.first_epoch)
    throw core::UsageError({.message = "hyperband needs the number of epochs of a whole training",
                            .field = "early_stopping.epochs",
                            .hint = "as model-parameters.epochs"});
  std::int64_t count = 1;
  for (std::int64_t rung = rule.first_epoch; rung <= rule.epochs / rule.factor; rung *= rule.factor) ++count;
  return count;
}

std::int64_t bracket_of(const EarlyStopping& rule, std::int64_t trial) {
  const std::int64_t count = bracket_count(rule);
  // Each bracket has about the same number of epochs: n x factor^s / (s + 1) trials for the one with s more
  // rungs.
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(count));
  std::int64_t power = 1, all = 0;
  for (std::int64_t s = 0; s < count; ++s, power *= rule.factor) {
    const std::int64_t size = (count * power + s) / (s + 1);
    sizes[static_cast<std::size_t>(count - 1 - s)] = size;
    all += size;
  }
  std::int64_t place = trial % std::max<std::int64_t>(all, 1), bracket = 0;
  for (; place >= sizes[static_cast<std::size_t>(bracket)]; ++bracket)
    place -= sizes[static_cast<std::size_t>(bracket)];
  return bracket;
}

bool stops(const EarlyStopping& rule, const std::vector<Trial>& trials, const Trial& trial,
           bool is_complete) {
  if (rule.kind == "none" || last_epoch(trial) < rule.first_epoch) return false;
  if (rule.kind == "median") return stops_by_median(rule, trials, trial);
  if (rule.kind == "asha") return stops_by_asha(rule, trials, trial, is_complete);
  const std::int64_t bracket = bracket_of(rule, trial.number);
  return stops_by_asha(rule_of(rule, bracket), trials_of(rule, trials, bracket), trial, is_complete);
}

std::int64_t promoted(const EarlyStopping& rule, const std::vector<Trial>& trials, bool is_complete) {
  if (rule.kind == "asha") return promoted_by_asha(rule, trials, is_complete);
  if (rule.kind != "hyperband") return -1;
  const std::int64_t count = bracket_count(rule);
  for (std::int64_t bracket = 0; bracket < count; ++bracket) {
    const std::int64_t trial =
        promoted_by_asha(rule_of(rule, bracket), trials_of(rule, trials, bracket), is_complete);
    if (trial >= 0) return trial;
  }
  return -1;
}

}  // namespace tune
