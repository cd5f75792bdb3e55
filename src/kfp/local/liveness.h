#pragma once

#include <cstdint>

namespace kfp::local {

/// When a process began, in clock ticks since boot (/proc/PID/stat); 0 if there is none or it is a
/// zombie.
std::int64_t process_start(std::int64_t pid);

/// Whether the process with this id lives and is still the one that began then, and not a later one with the
/// same id.
bool process_lives(std::int64_t pid, std::int64_t start);

}  // namespace kfp::local
