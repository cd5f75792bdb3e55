#pragma once

#include <cstdint>
#include <string>

#include "pipeline/tune.h"

namespace pipeline {

struct KatibOptions {
  std::string name;   ///< of the Experiment; characters that Kubernetes does not take become "-"
  std::string image;  ///< empty = calopipe:VERSION
  std::int64_t trials = 1, parallel = 1, max_failures = 5;
};

/// A study as an Experiment of Katib (kubeflow.org/v1beta1, as of Katib 0.19) in YAML: each trial is a Job
/// that runs the whole pipeline in one container, and prints its objective, which Katib's collector of
/// standard output reads.
/// @throws core::UsageError for what Katib lacks: conditions, several objectives, early stopping by epochs of
/// a
///         pipeline's task
std::string katib_experiment(const StudyDefinition& definition, const KatibOptions& options);

}  // namespace pipeline
