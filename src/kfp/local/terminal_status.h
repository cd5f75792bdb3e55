#pragma once

#include <memory>

#include "kfp/local/runner.h"

namespace kfp::local {

/// Options for showing a run on stderr.
struct StatusOptions {
  enum class Style {
    kAuto,   ///< a table on a terminal, lines elsewhere
    kTable,  ///< a table of tasks that is redrawn: state, time, last line of the log
    kLines,  ///< one line for each change of state
    kQuiet   ///< only failures and warnings
  };
  Style style = Style::kAuto;
  int width = 0;  ///< columns; 0 = width of the terminal
};

/// Shows a run on stderr. Failures are shown with the last lines and the path of the task's log.
std::unique_ptr<Observer> terminal_status(const StatusOptions& options = {});

}  // namespace kfp::local
