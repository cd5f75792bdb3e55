#include "pipeline/tune_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "calo/report/page.h"
#include "core/provenance.h"
#include "core/staged_output.h"
#include "kfp/local/text_table.h"
#include "pipeline/tune.h"
#include "pipeline/tune_status.h"

namespace pipeline {
namespace {

using nlohmann::json;
using tune::Trial;
using tune::TrialState;

json number_or_null(double value) {
  return std::isfinite(value) ? json(value) : json();
}

json list_of(const std::vector<double>& values) {
  json out = json::array();
  for (const double value : values) out.push_back(number_or_null(value));
  return out;
}

json numbers_of(const std::vector<const Trial*>& trials) {
  json out = json::array();
  for (const Trial* trial : trials) out.push_back(trial->number);
  return out;
}

json trial_json(const Trial& trial, const tune::Objectives& objectives) {
  json curve = json::array();
  for (const auto& [epoch, value] : trial.curve) curve.push_back({epoch, value});
  const bool is_done = trial.state == TrialState::kDone;
  return {{"number", trial.number},
          {"state", to_string(trial.state)},
          {"parameters", trial.parameters},
          {"values", list_of(trial.values)},
          {"errors", list_of(trial.errors)},
          {"loss", is_done && objectives.is_sum() ? number_or_null(objectives.loss(trial)[0]) : json()},
          {"attempts", trial.attempt},
          {"run", trial.run},
          {"machine", tune::machine_of(trial.worker)},
          {"report", trial.report},
          {"error", trial.error},
          {"seconds", trial.finished_s > 0 ? json(trial.finished_s - trial.started_s) : json()},
          {"curve", curve}};
}

// Name of the machine with the run of a trial, if its files cannot be reached here; else "".
std::string elsewhere(const Trial& trial) {
  const std::string machine = tune::machine_of(trial.worker);
  std::error_code error;
  const bool is_here = machine == tune::this_machine() ||
                       (!trial.report.empty() && std::filesystem::exists(trial.report, error));
  return trial.run.empty() || is_here ? "" : machine;
}

std::map<TrialState, int> counts(const std::vector<Trial>& trials) {
  std::map<TrialState, int> out;
  for (const Trial& trial : trials) ++out[trial.state];
  return out;
}

std::string counts_text(const std::vector<Trial>& trials) {
  std::vector<std::string> parts;
  for (const auto& [state, count] : counts(trials))
    parts.push_back(fmt::format("{} {}", count, to_string(state)));
  return fmt::format("{} trial{}{}{}", trials.size(), trials.size() == 1 ? "" : "s",
                     parts.empty() ? "" : ": ", fmt::join(parts, ", "));
}

// How much each parameter matters for each loss.
json importances(const StudyDefinition& definition, const std::vector<Trial>& trials) {
  json out = json::array();
  for (std::size_t i = 0; i < definition.objectives.losses(); ++i) {
    std::vector<double> losses;
    for (const Trial& trial : trials)
      if (trial.state == TrialState::kDone) losses.push_back(definition.objectives.loss(trial)[i]);
    out.push_back(tune::importance(definition.space, trials, losses));
  }
  return out;
}

std::vector<calo::VerdictItem> verdict(const StudyDefinition& definition, const std::vector<Trial>& trials) {
  const auto best = definition.objectives.best(trials);
  std::vector<calo::VerdictItem> items;
  if (best.empty()) return {{.good = false, .text = "No trial is done."}};
  if (definition.objectives.is_sum()) {
    items.push_back({.text = fmt::format("Trial {} has the best value: {} ({}).", best[0]->number,
                                         values_text(*best[0]), parameters_text(best[0]->parameters)),
                     .is_neutral = true});
    const auto equal = definition.objectives.equal_to_best(trials).size();
    if (equal > 0)
      items.push_back({.text = fmt::format("{} other trial{} not worse by more than two statistical errors.",
                                           equal, equal == 1 ? " is" : "s are"),
                       .is_neutral = true});
  } else {
    items.push_back(
        {.text = fmt::format(
             "{} of the trials are on the Pareto front: no other is better in all objectives.", best.size()),
         .is_neutral = true});
  }
  std::map<std::string, std::vector<std::int64_t>> away;
  for (const Trial& trial : trials)
    if (const std::string machine = elsewhere(trial); !machine.empty()) away[machine].push_back(trial.number);
  for (const auto& [machine, numbers] : away)
    items.push_back({.text = fmt::format("The runs and reports of these trials are on {}: {}.", machine,
                                         fmt::join(numbers, ", ")),
                     .is_neutral = true});
  return items;
}

// The command that runs a trial again.
std::string command_text(const Trial& trial) {
  std::string text = "calopipe run";
  for (const std::string& setting : settings_of(trial.parameters)) text += fmt::format(" --set {}", setting);
  return text + "\n";
}

}  // namespace

json study_json(const tune::Study& study) {
  const StudyDefinition definition = StudyDefinition::from_json(study.definition());
  json trials = json::array();
  for (const Trial& trial : study.trials()) trials.push_back(trial_json(trial, definition.objectives));
  return {{"definition", definition.to_json()}, {"trials", std::move(trials)}};
}

json best_json(const tune::Study& study) {
  const StudyDefinition definition = StudyDefinition::from_json(study.definition());
  const auto trials = study.trials();
  const auto best = definition.objectives.best(trials);
  json out = {{"best", numbers_of(best)}, {"equal", json::array()}, {"settings", json::array()}};
  if (definition.objectives.is_sum()) out["equal"] = numbers_of(definition.objectives.equal_to_best(trials));
  if (!best.empty()) {
    out["settings"] = settings_of(best[0]->parameters);
    out["values"] = list_of(best[0]->values);
    out["errors"] = list_of(best[0]->errors);
    out["run"] = best[0]->run;
    out["machine"] = tune::machine_of(best[0]->worker);
  }
  return out;
}

std::string trials_text(const tune::Study& study) {
  using kfp::local::TextTable;
  const StudyDefinition definition = StudyDefinition::from_json(study.definition());
  const auto trials = study.trials();
  std::vector<TextTable::Column> columns = {{.heading = "trial", .align = TextTable::Align::kRight},
                                            {.heading = "state"}};
  for (const tune::Objective& one : definition.objectives.all()) columns.push_back({.heading = one.name()});
  columns.push_back({.heading = "time", .align = TextTable::Align::kRight});
  const bool has_others =
      std::any_of(trials.begin(), trials.end(), [](const Trial& one) { return !elsewhere(one).empty(); });
  if (has_others) columns.push_back({.heading = "files on"});
  columns.push_back({.heading = "parameters"});
  TextTable table(columns);
  for (const Trial& trial : trials) {
    std::vector<std::string> cells = {std::to_string(trial.number), to_string(trial.state)};
    for (std::size_t i = 0; i < definition.objectives.all().size(); ++i)
      cells.push_back(trial.values.size() <= i ? "-"
                      : std::isfinite(trial.errors[i])
                          ? fmt::format("{:.5g} ± {:.2g}", trial.values[i], trial.errors[i])
                          : fmt::format("{:.5g}", trial.values[i]));
    cells.push_back(
        kfp::local::duration_text(trial.finished_s > 0 ? trial.finished_s - trial.started_s : -1));
    if (has_others) cells.push_back(elsewhere(trial).empty() ? "this machine" : elsewhere(trial));
    cells.push_back(parameters_text(trial.parameters) + (trial.error.empty() ? "" : "; " + trial.error));
    table.add(std::move(cells));
  }
  return table.to_text(0) + counts_text(trials) + "\n";
}

std::string best_text(const tune::Study& study) {
  const StudyDefinition definition = StudyDefinition::from_json(study.definition());
  const auto trials = study.trials();
  const auto best = definition.objectives.best(trials);
  if (best.empty()) return counts_text(trials) + "; none is done\n";
  std::string text;
  for (const Trial* trial : best) {
    text += fmt::format("trial {}: {} ({})\n", trial->number, values_text(*trial),
                        parameters_text(trial->parameters));
    if (const std::string machine = elsewhere(*trial); !machine.empty())
      text += fmt::format("  its files are on {}: run {}, {}\n", machine, trial->run, trial->report);
  }
  if (definition.objectives.is_sum()) {
    std::vector<std::int64_t> equal;
    for (const Trial* trial : definition.objectives.equal_to_best(trials)) equal.push_back(trial->number);
    if (!equal.empty())
      text += fmt::format("not worse within two errors: trials {}\n", fmt::join(equal, ", "));
    text += command_text(*best[0]);
  } else {
    text += fmt::format("{} trials on the Pareto front\n", best.size());
  }
  return text;
}

std::string best_text(const Trial& trial, const std::string& name) {
  return fmt::format("trial {}: {} ({})\n{}", name, values_text(trial), parameters_text(trial.parameters),
                     command_text(trial));
}

void write_study_report(const tune::Study& study, const std::filesystem::path& file) {
  const StudyDefinition definition = StudyDefinition::from_json(study.definition());
  const auto trials = study.trials();
  json data = study_json(study);
  data["best"] = numbers_of(definition.objectives.best(trials));
  data["importance"] = importances(definition, trials);
  data["is_sum"] = definition.objectives.is_sum();
  const std::string name = study.name();
  const calo::PageText text{
      .title = "Study " + name,
      .heading = "Search for the best parameters",
      .subtitle = fmt::format("{}, {}, {}", name, definition.algorithm, counts_text(trials)),
      .verdict = verdict(definition, trials),
      .provenance = {{"version", core::version()}, {"study", definition.to_json()}}};
  core::write_file(file, calo::fill_page(calo::Page::kTune, text, std::move(data)));
}

}  // namespace pipeline
