#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/temp_folder.h"
#include "kfp/component/component.h"
#include "kfp/local/runner.h"
#include "kfp/local/store.h"
#include "pipeline/tune.h"

namespace pipeline {

/// The run of a trial did not write an objective: a mistake in the study itself, if no trial ever wrote it.
class MissingObjective : public core::InputError {
 public:
  using core::InputError::InputError;
};

/// Runs the trials of a study on this machine: the pipeline with the values of a trial, `repeats` times with
/// a seed each. Several threads may use it.
class TrialRunner {
 public:
  TrialRunner(const kfp::Registry& registry, const StudyDefinition& definition, kfp::local::Store& store);

  /// Runs a trial, and sets its values, errors, run and report. A run that was begun before is continued,
  /// those of earlier repeats come from the cache.
  /// @param runner options of each run; the name of the run is added to "trial N of NAME"
  /// @throws MissingObjective, core::Error of the task that failed, core::Interrupted
  void run(tune::Trial& trial, const std::string& study, kfp::local::RunnerOptions runner,
           kfp::local::Observer& observer) const;

 private:
  std::string run_once(tune::Trial& trial, const std::string& begun, std::int64_t repeat,
                       const kfp::local::RunnerOptions& runner, kfp::local::Observer& observer,
                       std::vector<tune::Measured>& values) const;

  const kfp::Registry& registry_;
  const StudyDefinition& definition_;
  kfp::local::Store& store_;
  core::TempFolder folder_;
  std::filesystem::path config_;
  std::int64_t first_seed_ = 0;
};

/// Settings of the seed of a repeat: none if there is only one.
std::vector<std::string> seed_settings(const StudyDefinition& definition, std::int64_t first_seed,
                                       std::int64_t repeat);
/// The seed of the first repeat: that of the study's configuration, else the declared default.
/// @throws core::UsageError if the pipeline has no such parameter, or it is searched
std::int64_t first_seed(const kfp::Registry& registry, const StudyDefinition& definition);

/// The numbers by epoch in metrics.jsonl, which the training of a run writes.
class EpochReader {
 public:
  explicit EpochReader(std::string metric) : metric_(std::move(metric)) {}
  /// Looks for lines, at most twice a second. @param see gets epoch and value, also those that it has seen
  /// before; it returns false to end the look
  template <class See>
  void look(const std::filesystem::path& run_folder, const See& see) {
    if (is_due()) read(run_folder, see);
  }

 private:
  bool is_due();
  void read(const std::filesystem::path& run_folder,
            const std::function<bool(std::int64_t epoch, double value)>& see) const;

  std::string metric_;
  std::chrono::steady_clock::time_point looked_;
};

}  // namespace pipeline
