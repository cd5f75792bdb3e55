#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kfp/component/component.h"
#include "pipeline/tune.h"

namespace pipeline {

struct KatibOptions {
  std::string name;            ///< of the Experiment; characters that Kubernetes does not take become "-"
  std::string image;           ///< empty = the site's for `train`, else calopipe:VERSION
  std::filesystem::path site;  ///< site settings for `train`: resources, environment, volumes; empty = none
  std::string database = "katib-db-manager.kubeflow:6789";  ///< Katib's DB manager, to which trials report
  std::string shell_image = "busybox:1.37.0";               ///< early stopping: image with BusyBox
  std::int64_t trials = 1, parallel = 1, max_failures = 5;
};

/// A study as an Experiment of Katib (kubeflow.org/v1beta1, as of Katib 0.19): each trial is a Job that runs
/// `calopipe tune trial`, which gets the study and its values by the environment. Without early stopping, the
/// trial reports its objective to Katib's database itself (collector "Push"). With it, Katib's collector
/// reads the numbers of the epochs from the standard output; it starts programs by a shell, which an init
/// container brings.
/// @throws core::UsageError for what Katib lacks: a Pareto front, early stopping by another rule than the
/// median
///         or by another number than the objective; core::InputError (site)
nlohmann::json katib_experiment(const kfp::Registry& registry, const StudyDefinition& definition,
                                const KatibOptions& options);

/// Runs one trial of an Experiment in its pod (environment: CALOPIPE_TRIAL_STUDY, CALOPIPE_TRIAL_VALUES,
/// KATIB_TRIAL_NAME, CALOPIPE_KATIB_DATABASE), and prints or reports its objective.
/// @throws core::UsageError outside of such a pod, and what TrialRunner::run() and report_to_katib() throw
void run_katib_trial(const kfp::Registry& registry, int threads, kfp::local::Store& store);

/// Values of the space from texts, as Katib gives them, by the names of the dimensions; those whose condition
/// is not met are left out. @throws core::InputError if one is missing or is none of its dimension
tune::Parameters katib_values(const tune::Space& space, const nlohmann::json& texts);

/// Katib's trials as those of a study, in the order of their creation; `run` is the name of the Katib trial.
std::vector<tune::Trial> katib_trials(const StudyDefinition& definition, std::vector<nlohmann::json> trials);

/// State of an Experiment: its last condition that is true.
struct KatibState {
  std::string type;     ///< "Created", "Running", "Restarting", "Succeeded", "Failed"
  std::string message;  ///< in Katib's words
  std::string best;     ///< name of the best trial so far; empty = none
  bool is_final() const { return type == "Succeeded" || type == "Failed"; }
};
KatibState katib_state(const nlohmann::json& experiment);

}  // namespace pipeline
