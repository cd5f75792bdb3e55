#pragma once

#include <functional>
#include <string>

#include "kfp/client/client.h"

namespace kfp::client {

/// Options for waiting for a run.
struct WaitOptions {
  double first_interval_s = 1;  ///< between requests, after a change
  double longest_interval_s = 15;
  double growth = 1.4;            ///< factor for the interval, while nothing changes
  double patience_s = 24 * 3600;  ///< longest outage of the server; the run continues without it
  double longest_wait_s = 0;      ///< limit of the whole wait; 0 = until the run ends
  /// Called when a task is seen for the first time, or its state has changed.
  std::function<void(const TaskDetail& task)> on_task;
  /// Called when the run is seen for the first time, or its state has changed.
  std::function<void(const Run& run)> on_run;
  /// Called when the server is unreachable (with the error) or back (with an empty string).
  std::function<void(const std::string& error)> on_outage;
  /// Monotonic time in seconds; empty = the steady clock (then Http's `sleep` must really wait).
  std::function<double()> clock;
};

/// Polls until the run ends; servers may restart in the meantime.
/// @return the run in its last state; after longest_wait_s in its current state, which is not final
/// @throws core::Interrupted if core::interrupt_requested(), Refused (no such run, login expired),
///         Unreachable after patience_s. The run continues in any case.
Run wait(Client& client, const std::string& run_id, const WaitOptions& options = {});

}  // namespace kfp::client
