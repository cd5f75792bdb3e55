#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "kfp/component/component.h"
#include "kfp/local/store.h"
#include "pipeline/logging.h"
#include "pipeline/pipelines.h"
#include "tune/early_stopping.h"
#include "tune/objectives.h"
#include "tune/study.h"

namespace pipeline {

/// How a study searches, in its file and in a YAML file.
struct StudySettings {
  std::string pipeline = "training", algorithm = "tpe";
  bool multivariate = false;  ///< tpe
  std::int64_t seed = 42;
  std::int64_t repeats = 1;                ///< runs of each trial, with a seed each; their mean counts
  std::string repeat_seed = "train.seed";  ///< parameter that the repeats change
  tune::EarlyStopping early_stopping;

  template <class V>
  void describe(V& v) {
    v("pipeline", pipeline);
    v("algorithm", algorithm);
    v("multivariate", multivariate);
    v("seed", seed, {.min = 0});
    v("repeats", repeats, {.min = 1, .max = 1000});
    v("repeat_seed", repeat_seed);
    v("early_stopping", early_stopping);
  }
};

/// What a study searches, for and how.
struct StudyDefinition : StudySettings {
  nlohmann::json config = nlohmann::json::object();  ///< parameters of all trials, by component
  std::vector<std::string> settings;                 ///< "component.parameter=value" of all trials
  std::string id;                                    ///< of the study where it is recorded (LogOptions)
  tune::Space space;
  tune::Objectives objectives;

  nlohmann::json to_json() const;
  /// Reads what to_json() wrote. @throws core::InputError
  static StudyDefinition from_json(const nlohmann::json& json);
};

/// Reads a definition from a YAML file: a mapping with `space`, `objectives`, `algorithm` …, or a run's
/// configuration with such a mapping under `tune`; the rest of that is the configuration of the trials.
/// @param config another configuration of the trials; empty = none
/// @throws core::InputError, core::UsageError naming file and field
StudyDefinition read_definition(const kfp::Registry& registry, const std::filesystem::path& file,
                                const std::filesystem::path& config);

/// Checks a definition before anything runs: the algorithm suits the space, the pipeline writes the files of
/// the objectives, and a first point is accepted. @throws core::UsageError, core::InputError
void check_definition(const kfp::Registry& registry, const StudyDefinition& definition);

/// The default of a parameter of a pipeline, by "component.parameter".
/// @throws core::UsageError if there is none (with the nearest name)
nlohmann::json declared_default(const kfp::Registry& registry, const std::string& pipeline,
                                const std::string& name);

/// Values of a trial as settings of the pipeline: "component.parameter=value".
std::vector<std::string> settings_of(const tune::Parameters& parameters);

/// Options of a worker.
struct TuneOptions {
  std::int64_t trials = 0;        ///< number of trials of the whole study
  std::int64_t parallel = 1;      ///< number of trials that this process runs at a time
  std::int64_t max_failures = 5;  ///< of trials of this process, after which it stops
  int threads = 0;                ///< of all trials together; 0 = all
  double lease_s = 60;            ///< time without a sign of life after which a worker is dead
  bool cache = true;
  bool quiet = false;
  LogOptions log;  ///< where to record study and trials; empty = nowhere
};

/// Takes part in a study until it has as many trials as wanted: each trial is a run of the pipeline on this
/// machine.
/// @throws core::Error with the exit code of the first trial that failed, if `max_failures` did or no trial
/// succeeded;
///         core::Interrupted (the runs of the trials are resumed later)
void tune(const kfp::Registry& registry, tune::Study& study, const TuneOptions& options,
          kfp::local::Store& store);

}  // namespace pipeline
