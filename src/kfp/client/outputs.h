#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "kfp/client/client.h"
#include "kfp/client/metadata.h"

namespace kfp::client {

/// Copies a file or folder of the cluster's store to this machine; it appears under its name when complete.
/// @param s3_endpoint address of the store, which is then read with core::remote_storage() (s3) and the
///                    credentials of the AWS tools; empty = through the server of Kubeflow's pages, which
///                    cannot list folders
/// @throws core::InputError if there is no such file, or it is a folder that cannot be listed;
///         core::UnavailableError, core::UsageError, and the exceptions of Http::call()
void fetch_output(Client& client, const Artifact& artifact, const std::filesystem::path& to,
                  const std::string& s3_endpoint = {});

/// Which logs to print.
struct RunLogOptions {
  std::string task;       ///< empty = all, with the name of its task before each line
  int tail = -1;          ///< number of last lines of each task; negative = all
  bool follow = false;    ///< continue until the run ends, or core::interrupt_requested()
  double interval_s = 2;  ///< between requests, if `follow`
  /// Called if the log of a task cannot be read while others can.
  std::function<void(const std::string& task, const std::string& error)> on_problem;
};

/// Passes the logs of a run's tasks to `write`, as whole lines of one task at a time.
/// @throws core::UsageError (no such task), core::InputError (the named task has no log, for example since
/// its
///         result was reused), and the exceptions of Http::call()
void write_run_logs(Client& client, Metadata& metadata, const std::string& run_id,
                    const RunLogOptions& options, const std::function<void(std::string_view)>& write);

}  // namespace kfp::client
