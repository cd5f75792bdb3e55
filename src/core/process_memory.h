#pragma once

#include <sys/types.h>

#include <cstdint>

namespace core {

/// Resident memory of a process now, and its largest so far; 0 if it cannot be known (no such process, no
/// Linux).
/// @param process 0 = this one
std::int64_t resident_memory_bytes(pid_t process = 0);
std::int64_t peak_memory_bytes(pid_t process = 0);

/// Lets peak_memory_bytes() of this process count from now on, where the kernel can.
void reset_peak_memory();

}  // namespace core
