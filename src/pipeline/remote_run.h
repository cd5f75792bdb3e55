#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kfp/client/client.h"
#include "kfp/client/context.h"
#include "kfp/component/component.h"
#include "kfp/local/runs_report.h"
#include "kfp/local/store.h"
#include "pipeline/logging.h"

namespace pipeline {

/// Options of `calopipe run --on`.
struct RemoteRunOptions {
  std::string pipeline = "training";  ///< name of a pipeline of this project, or the file of a compiled one
  std::filesystem::path config;  ///< YAML: parameters under the name of their component (for a file: by name)
  std::vector<std::string> settings;  ///< "component.parameter=value" (for a file: "parameter=value")
  std::filesystem::path site;         ///< site settings; empty = none
  std::filesystem::path out;          ///< folder for the products, from the cluster's store; empty = none
  std::string run_name;               ///< empty = the pipeline's name and the time
  bool detach = false;                ///< start the run without waiting for it
  LogOptions log;                     ///< where tasks record their runs; empty = as the site says
  bool quiet = false;                 ///< only failures
};

/// Compiles a pipeline with the site's settings, sends it to Kubeflow (the same content only once), starts a
/// run there and, unless told to detach, shows it on stderr until it ends. The run is recorded in the store,
/// with its states as long as it is shown; if that fails, there is a warning and the run continues.
/// @return run (id), state, context, pipeline, version, uploaded; unless detached, reused (names of the tasks
///         whose results come from earlier runs) and, with `out`, paths of the products, as run_locally()
/// @throws core::Error with the exit code that a local run would have if the run fails; core::Interrupted
///         after Ctrl-C, which does not stop the run and says how to attach again; the exceptions of
///         kfp::client
nlohmann::json run_remotely(const kfp::Registry& registry, const RemoteRunOptions& options,
                            const kfp::client::Context& context, kfp::local::Store& store);

/// The context of a recorded remote run. @throws core::UsageError if it is gone or names another server
kfp::client::Context recorded_context(const kfp::local::RemotePlace& place);

/// Shows a run that was started before until it ends. @param run id or name
nlohmann::json attach_remotely(const kfp::client::Context& context, const std::string& run, bool quiet);

/// Shows a recorded remote run until it ends, records its states, and fetches the products that it was
/// started for.
/// @throws as attach_remotely(), and core::UsageError if its context is gone or names another server
nlohmann::json attach_recorded(const kfp::local::RunRecord& run, bool quiet, kfp::local::Store& store);

/// Refreshes recorded remote runs from their servers. After a server is unreachable or refuses the login, it
/// is not asked again.
class RemoteRefresh {
 public:
  explicit RemoteRefresh(kfp::local::Store& store);
  ~RemoteRefresh();

  /// Records the present state of a remote run and of its tasks. If that is impossible, the record stays, and
  /// `remote->problem` of the result says why.
  /// @throws core::Interrupted, and the exceptions of the store
  kfp::local::RunRecord refreshed(kfp::local::RunRecord run);

  /// The metrics of a remote run, from the metadata of its outputs of type system.Metrics.
  /// @throws the exceptions of kfp::client::Metadata, and of recorded_context()
  std::vector<kfp::local::Metric> metrics(const kfp::local::RunRecord& run);

 private:
  struct Server;
  Server& server_of(const kfp::local::RemotePlace& place);

  kfp::local::Store& store_;
  std::map<std::string, std::unique_ptr<Server>> servers_;
};

}  // namespace pipeline
