#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kfp/client/context.h"
#include "kfp/component/component.h"

namespace pipeline {

/// Options of `calopipe run --on`.
struct RemoteRunOptions {
  std::string pipeline = "training";  ///< name of a pipeline of this project, or the file of a compiled one
  std::filesystem::path config;  ///< YAML: parameters under the name of their component (for a file: by name)
  std::vector<std::string> settings;  ///< "component.parameter=value" (for a file: "parameter=value")
  std::filesystem::path site;         ///< site settings; empty = none
  std::string run_name;               ///< empty = the pipeline's name and the time
  bool detach = false;                ///< start the run without waiting for it
  bool quiet = false;                 ///< only failures
};

/// Compiles a pipeline with the site's settings, sends it to Kubeflow (the same content only once), starts a
/// run there and, unless told to detach, shows it on stderr until it ends.
/// @return run (id), state, context, pipeline, version, uploaded; the products stay in the cluster's store
/// @throws core::Error with the exit code that a local run would have if the run fails; core::Interrupted
///         after Ctrl-C, which does not stop the run and says how to attach again; the exceptions of
///         kfp::client
nlohmann::json run_remotely(const kfp::Registry& registry, const RemoteRunOptions& options,
                            const kfp::client::Context& context);

/// Shows a run that was started before until it ends. @param run id or name
nlohmann::json attach_remotely(const kfp::client::Context& context, const std::string& run, bool quiet);

}  // namespace pipeline
