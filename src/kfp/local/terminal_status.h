#pragma once

#include <memory>

#include "kfp/local/runner.h"

namespace kfp::local {

/// How a run is shown on stderr.
struct StatusOptions {
  enum class Style {
    kAuto,   ///< a table on a terminal, lines elsewhere
    kTable,  ///< a table of tasks that is redrawn: state, time, last line of the log
    kLines,  ///< a line per change of state
    kQuiet   ///< failures and warnings only
  };
  Style style = Style::kAuto;
  int width = 0;  ///< columns; 0: of the terminal
};

/// Shows a run on stderr. Failures come with the last lines of the task's log, and its path.
std::unique_ptr<Observer> terminal_status(const StatusOptions& options = {});

}  // namespace kfp::local
