#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kfp/client/context.h"
#include "kfp/component/component.h"

namespace pipeline {

/// What `calopipe run --on` was asked for.
struct RemoteRunOptions {
  std::string pipeline = "training";  ///< a pipeline of this project, or a compiled one (file)
  std::filesystem::path config;       ///< YAML: parameters, under their component's name (of a file: by name)
  std::vector<std::string> settings;  ///< "component.parameter=value" (of a file: "parameter=value")
  std::filesystem::path site;         ///< site settings; empty = none
  std::string run_name;               ///< empty: the pipeline's name and the time
  bool detach = false;                ///< only start it
  bool quiet = false;                 ///< failures only
};

/// Compiles a pipeline with the site's settings, sends it to Kubeflow (the same content once), starts a run
/// there and, unless told to detach, shows it on stderr until it is over.
/// @return run (id), state, context, pipeline, version, uploaded; the products stay in the cluster's store
/// @throws core::Error with the exit code that a local run would have if the run fails; core::Interrupted
/// after Ctrl-C, which leaves the run alone and says how to attach again; what kfp::client calls throw
nlohmann::json run_remotely(const kfp::Registry& registry, const RemoteRunOptions& options,
                            const kfp::client::Context& context);

/// Shows a run that was started before, until it is over. @param run id or name
nlohmann::json attach_remotely(const kfp::client::Context& context, const std::string& run, bool quiet);

}  // namespace pipeline
