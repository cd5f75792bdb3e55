#include "pipeline/trial.h"

#include <fmt/format.h>

#include <fstream>

#include "core/staged_output.h"
#include "pipeline/local_run.h"

namespace pipeline {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string component_of(const std::string& parameter) {
  return parameter.substr(0, parameter.find('.'));
}

std::string name_of(const std::string& parameter) {
  return parameter.substr(parameter.find('.') + 1);
}

}  // namespace

std::int64_t first_seed(const kfp::Registry& registry, const StudyDefinition& definition) {
  const std::string& seed = definition.repeat_seed;
  for (const tune::Dimension& dimension : definition.space.dimensions())
    if (dimension.name == seed)
      throw core::UsageError(
          {.message = fmt::format("{} is searched, and cannot be the seed of repeats", seed),
           .field = "repeat_seed"});
  const json declared = declared_default(registry, definition.pipeline, seed);
  if (!declared.is_number_integer())
    throw core::UsageError({.message = fmt::format("{} is no integer", seed), .field = "repeat_seed"});
  auto value = declared.get<std::int64_t>();
  if (const auto of = definition.config.find(component_of(seed)); of != definition.config.end())
    if (const auto found = of->find(name_of(seed)); found != of->end()) value = found->get<std::int64_t>();
  for (const std::string& setting : definition.settings)
    if (setting.starts_with(seed + '=')) value = std::stoll(setting.substr(seed.size() + 1));
  return value;
}

std::vector<std::string> seed_settings(const StudyDefinition& definition, std::int64_t first_seed,
                                       std::int64_t repeat) {
  if (definition.repeats == 1) return {};
  return {fmt::format("{}={}", definition.repeat_seed, first_seed + repeat)};
}

TrialRunner::TrialRunner(const kfp::Registry& registry, const StudyDefinition& definition,
                         kfp::local::Store& store)
    : registry_(registry), definition_(definition), store_(store), folder_("tune") {
  config_ = folder_.path() / "config.yaml";
  core::write_file(config_, definition.config.dump() + "\n");
  if (definition.repeats > 1) first_seed_ = first_seed(registry, definition);
}

void TrialRunner::run(tune::Trial& trial, const std::string& study, kfp::local::RunnerOptions runner,
                      kfp::local::Observer& observer) const {
  const std::string begun = trial.run;
  std::vector<std::vector<tune::Measured>> values(definition_.objectives.all().size());
  for (std::int64_t repeat = 0; repeat < definition_.repeats; ++repeat) {
    runner.run_name = fmt::format("trial {} of {}", trial.number, study);
    if (definition_.repeats > 1) runner.run_name += fmt::format(", repeat {}", repeat + 1);
    std::vector<tune::Measured> once;
    trial.run = run_once(trial, begun, repeat, runner, observer, once);
    for (std::size_t i = 0; i < once.size(); ++i) values[i].push_back(once[i]);
  }
  trial.values.clear();
  trial.errors.clear();
  for (const std::vector<tune::Measured>& of_objective : values) {
    const tune::Measured mean = tune::mean(of_objective);
    trial.values.push_back(mean.value);
    trial.errors.push_back(mean.error);
  }
}

std::string TrialRunner::run_once(tune::Trial& trial, const std::string& begun, std::int64_t repeat,
                                  const kfp::local::RunnerOptions& runner, kfp::local::Observer& observer,
                                  std::vector<tune::Measured>& values) const {
  std::vector<std::string> settings = definition_.settings;
  for (std::string& setting : settings_of(trial.parameters)) settings.push_back(std::move(setting));
  for (std::string& setting : seed_settings(definition_, first_seed_, repeat))
    settings.push_back(std::move(setting));
  PreparedPipeline prepared = prepare_pipeline(registry_, definition_.pipeline, config_, settings);
  std::optional<kfp::local::RunRecord> earlier;
  try {
    if (!begun.empty()) earlier = store_.run(begun);
  } catch (const core::UsageError&) {
    trial.run.clear();  // in another machine's store, or deleted
  }
  // A run that still runs belongs to a worker that was taken for dead, and ends it soon.
  if (earlier && (!is_final(earlier->state) || earlier->name != runner.run_name)) earlier.reset();
  const kfp::local::RunResult result =
      earlier ? kfp::local::resume(begun, runner, store_, &observer)
              : kfp::local::run(prepared.compiled, prepared.parameters, runner, store_, &observer);
  if (result.run.state != kfp::local::State::kSucceeded) throw_failure(result.run, store_);
  const auto paths = products_of(result.run.id, prepared.products, store_);
  if (const auto report = paths.find("report.html"); report != paths.end()) trial.report = report->second;
  for (const tune::Objective& objective : definition_.objectives.all()) {
    const auto found = paths.find(objective.file());
    if (found == paths.end())
      throw core::InputError(
          {.message = "the run did not write it", .file = objective.file(), .field = objective.name()});
    try {
      values.push_back(tune::Objectives::read(objective, found->second));
    } catch (const core::InputError& error) {
      throw MissingObjective(error.details());
    }
  }
  return result.run.id;
}

bool EpochReader::is_due() {
  const auto now = std::chrono::steady_clock::now();
  if (now - looked_ < std::chrono::milliseconds(500)) return false;
  looked_ = now;
  return true;
}

// The training writes metrics.jsonl into a folder that gets its name at the end.
void EpochReader::read(const fs::path& run_folder,
                       const std::function<bool(std::int64_t epoch, double value)>& see) const {
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(run_folder / "artifacts", error)) {
    if (entry.path().filename() != "metrics.jsonl") continue;
    std::ifstream lines(entry.path());
    for (std::string line; std::getline(lines, line);) {
      const json record = json::parse(line, nullptr, false);
      if (!record.is_object()) continue;
      const auto epoch = record.find("epoch"), value = record.find(metric_);
      if (epoch == record.end() || value == record.end() || !value->is_number()) continue;
      if (!see(epoch->get<std::int64_t>(), value->get<double>())) return;
    }
  }
}

}  // namespace pipeline
