#include "pipeline/tune_status.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

namespace pipeline {
namespace {

std::string number_text(const nlohmann::json& value) {
  return value.is_number_float() ? fmt::format("{:.5g}", value.get<double>())
         : value.is_string()     ? value.get<std::string>()
                                 : value.dump();
}

}  // namespace

std::string values_text(const tune::Trial& trial) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < trial.values.size(); ++i)
    parts.push_back(std::isfinite(trial.errors[i])
                        ? fmt::format("{:.5g} ± {:.2g}", trial.values[i], trial.errors[i])
                        : fmt::format("{:.5g}", trial.values[i]));
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string parameters_text(const tune::Parameters& parameters) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : parameters.items())
    parts.push_back(fmt::format("{} = {}", name.substr(name.find('.') + 1), number_text(value)));
  return fmt::format("{}", fmt::join(parts, ", "));
}

TuneStatus::TuneStatus(const tune::Objectives& objectives, std::int64_t trials, bool quiet)
    : objectives_(objectives), trials_(trials), quiet_(quiet), is_terminal_(::isatty(STDERR_FILENO) != 0) {}

void TuneStatus::line(const std::string& text) {
  erase_table();
  fmt::print(stderr, "{}\n", text);
}

void TuneStatus::erase_table() {
  if (drawn_ > 0) fmt::print(stderr, "\x1b[{}A\x1b[J", drawn_);
  drawn_ = 0;
}

void TuneStatus::begin(const tune::Trial& trial) {
  const std::lock_guard lock(mutex_);
  running_[trial.number] = {};
  if (!quiet_)
    line(fmt::format("trial {}{}: {}", trial.number,
                     trial.attempt > 1 ? fmt::format(" (attempt {})", trial.attempt) : "",
                     parameters_text(trial.parameters)));
}

void TuneStatus::task(std::int64_t trial, const std::string& name) {
  const std::lock_guard lock(mutex_);
  running_[trial].task = name;
}

void TuneStatus::end_of(const tune::Trial& trial) {
  const std::lock_guard lock(mutex_);
  running_.erase(trial.number);
  if (trial.state == tune::TrialState::kFailed)
    line(fmt::format("trial {}: failed: {}", trial.number, trial.error));
  else if (!quiet_)
    line(trial.state == tune::TrialState::kDone
             ? fmt::format("trial {}: done: {}", trial.number, values_text(trial))
         : trial.curve.empty() ? fmt::format("trial {}: {}", trial.number, to_string(trial.state))
                               : fmt::format("trial {}: {} after epoch {}", trial.number,
                                             to_string(trial.state), trial.curve.rbegin()->first));
}

void TuneStatus::show(const std::vector<tune::Trial>& trials) {
  const std::lock_guard lock(mutex_);
  if (quiet_ || !is_terminal_) return;
  erase_table();
  const auto done = std::count_if(trials.begin(), trials.end(), [](const tune::Trial& one) {
    return one.state == tune::TrialState::kDone;
  });
  for (const auto& [number, one] : running_) {
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - one.since).count();
    fmt::print(stderr, "  trial {:<4} {:>6.0f} s  {}\n", number, seconds, one.task);
  }
  const auto best = objectives_.best(trials);
  fmt::print(stderr, "  {} of {} trials done{}\n", done, trials_,
             best.empty() ? ""
             : objectives_.is_sum()
                 ? fmt::format(", the best is {}: {}", best[0]->number, values_text(*best[0]))
                 : fmt::format(", {} on the Pareto front", best.size()));
  std::fflush(stderr);
  drawn_ = static_cast<int>(running_.size()) + 1;
}

void TuneStatus::end() {
  const std::lock_guard lock(mutex_);
  erase_table();
}

}  // namespace pipeline
