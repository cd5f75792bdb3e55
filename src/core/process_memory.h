#pragma once

#include <sys/types.h>

#include <cstdint>

namespace core {

/// Current and largest resident memory of a process; 0 if unknown (no such process, or not Linux).
/// @param process process id; 0 = this process
std::int64_t resident_memory_bytes(pid_t process = 0);
std::int64_t peak_memory_bytes(pid_t process = 0);

/// Restarts the measurement of peak_memory_bytes() for this process, if the kernel supports that.
void reset_peak_memory();

}  // namespace core
