#pragma once

#include <cstdint>

namespace core {

/// Start time of a process, in clock ticks since boot (/proc/PID/stat); 0 if there is none or it is a
/// zombie.
std::int64_t process_start(std::int64_t pid);

/// True if the process with this id lives and started at that time, which excludes a later process with the
/// same id.
bool process_lives(std::int64_t pid, std::int64_t start);

}  // namespace core
