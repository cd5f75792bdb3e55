#pragma once

#include <CLI/CLI.hpp>

#include "pipeline/logging.h"

namespace app {

/// Adds `--log` and `--log-model`, which the environment variables CALOPIPE_LOG and CALOPIPE_LOG_MODEL also
/// set.
/// @param model  help of --log-model; empty = no such option
void add_log_options(CLI::App& command, pipeline::LogOptions& options, const std::string& model);

}  // namespace app
