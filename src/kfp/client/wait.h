#pragma once

#include <functional>
#include <string>

#include "kfp/client/client.h"

namespace kfp::client {

/// How a run is waited for.
struct WaitOptions {
  double first_interval_s = 1;  ///< between questions, after something changed
  double longest_interval_s = 15;
  double growth = 1.4;            ///< of the interval, while nothing changes
  double patience_s = 24 * 3600;  ///< how long the server may be away; the run goes on without it
  double longest_wait_s = 0;      ///< in all; 0: until the run is over
  /// A task was seen for the first time, or its state changed.
  std::function<void(const TaskDetail& task)> on_task;
  /// The run was seen for the first time, or its state changed.
  std::function<void(const Run& run)> on_run;
  /// The server is away (the error), or is back (empty).
  std::function<void(const std::string& error)> on_outage;
  /// Seconds that do not go back; empty: the steady clock (which Http's `sleep` must then not shorten).
  std::function<double()> clock;
};

/// Asks until the run is over; servers may restart meanwhile.
/// @return the run in its last state; after longest_wait_s the present one, which is not final
/// @throws core::Interrupted if core::interrupt_requested(), Refused (no such run, login expired),
/// Unreachable after patience_s. The run goes on in any case.
Run wait(Client& client, const std::string& run_id, const WaitOptions& options = {});

}  // namespace kfp::client
