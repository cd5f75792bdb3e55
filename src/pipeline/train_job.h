#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kfp/component/component.h"

namespace pipeline {

/// A training by several pods.
struct TrainJobOptions {
  std::string name = "calopipe-train";  ///< of the TrainJob and of its TrainingRuntime
  std::string image;                    ///< empty = the site's for `train`, else calopipe:VERSION
  std::filesystem::path site;  ///< site settings: resources, environment, volumes, secrets; empty = none
  int nodes = 1;               ///< number of pods
  int processes = 1;           ///< processes in each pod
  std::vector<std::string> arguments;  ///< of `calopipe train`
};

/// A training for Kubeflow's Trainer (trainer.kubeflow.org/v1alpha1, as of Trainer 2.0): a TrainingRuntime
/// with the site's settings, and a TrainJob that uses it. The controller gives the pods their places
/// (PET_NODE_RANK, PET_MASTER_ADDR …), which `calopipe train` reads. Paths must mean the same in all pods.
/// @return the objects in the order of their creation
/// @throws core::UsageError for arguments that `calopipe train` does not take, and for a wrong name or
/// numbers;
///         core::InputError (site, values out of range)
std::vector<nlohmann::json> train_job_objects(const kfp::Registry& registry, const TrainJobOptions& options);

}  // namespace pipeline
