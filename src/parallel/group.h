#pragma once

#include <chrono>
#include <memory>

#include "core/process_group.h"
#include "parallel/place.h"

namespace parallel {

/// Limits of time, which variables of the environment change.
struct Limits {
  /// For all processes to come together (CALOPIPE_JOIN_SECONDS): pods may have to load their image.
  std::chrono::milliseconds join{std::chrono::minutes(10)};
  /// For one collective operation (CALOPIPE_COLLECTIVE_SECONDS): the slowest process may have to read data.
  std::chrono::milliseconds operation{std::chrono::minutes(10)};

  /// @throws core::UsageError
  static Limits from(const Environment& environment);
};

/// Brings the processes together that the environment names (place_of()). Rank 0 accepts the others; the
/// operations are Gloo's, in libcalopipe-gloo.so. A place of size 1 needs neither.
///
/// The destructor leaves the group. If it is called by an exception, or the process is killed, the other
/// processes' operations throw core::UnavailableError with the rank and the host of this one. From now on,
/// SIGPIPE is ignored, which Gloo would end the program with if another process is gone.
/// @throws core::UnavailableError if processes do not come in time (the message names them) or the library
///         is missing; core::UsageError if a rank is there twice
std::unique_ptr<core::ProcessGroup> join(const Place& place, const Limits& limits);

}  // namespace parallel
