#pragma once

#include <CLI/CLI.hpp>

#include "pipeline/logging.h"

namespace app {

/// Adds `--log` and `--log-model`, which the environment variables CALOPIPE_LOG and CALOPIPE_LOG_MODEL also
/// set.
void add_log_options(CLI::App& command, pipeline::LogOptions& options, bool with_model = true);

}  // namespace app
