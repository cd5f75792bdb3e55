#pragma once

#include <CLI/CLI.hpp>

#include "pipeline/reading_options.h"

namespace app {

/// Adds the options of all commands that read showers (--geometry, --binning, --particle, --axes) to a
/// command that is not a component. `options` must live until the command is parsed.
void add_reading_options(CLI::App& command, pipeline::ReadingOptions& options);

}  // namespace app
