#pragma once

#include <cerrno>
#include <cstring>
#include <string>

namespace parallel {

/// Text of errno.
inline std::string error_text() {
  return std::strerror(errno);  // NOLINT(concurrency-mt-unsafe)
}

}  // namespace parallel
