#pragma once

#include <chrono>

namespace core {

/// The time in seconds since 1970, by the clock of the system.
inline double now_s() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace core
