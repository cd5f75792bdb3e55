#pragma once

#include <string>

#include "kfp/client/context.h"
#include "kfp/client/outputs.h"

namespace app {

/// Prints the logs of a run on Kubeflow to the standard output: as they grow with `follow`, or as one JSON
/// object. Logs that cannot be read are named on the standard error.
/// @return exit code: 0; that of an unavailable server if logs are missing; 130 after Ctrl-C
/// @throws the exceptions of kfp::client::write_run_logs()
int print_remote_logs(const kfp::client::Context& context, const std::string& run_id,
                      kfp::client::RunLogOptions options, bool json);

}  // namespace app
