#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "pipeline/tune.h"

namespace app {

/// Where an Experiment runs.
struct KatibPlace {
  std::string kubeconfig;  ///< empty: $KUBECONFIG, ~/.kube/config
  std::string context;     ///< of the kubeconfig; empty = its current one
  std::string name_space;  ///< empty = that of the context
  bool follow = false;     ///< the Experiment is there already, and is only followed
};

/// Starts an Experiment on a cluster with Katib, and follows it to its end with a table of its trials on
/// stderr. Ctrl-C leaves it running.
/// @return the best trial as text, with the command that runs it again
/// @throws core::UsageError if there is one with this name (to be followed: none); core::Error if it fails,
/// or no trial is done;
///         core::Interrupted; the exceptions of kubernetes::Api
std::string run_katib_study(const pipeline::StudyDefinition& study, const nlohmann::json& experiment,
                            const KatibPlace& place, std::int64_t trials, bool quiet);

}  // namespace app
