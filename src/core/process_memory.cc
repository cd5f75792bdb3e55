#include "core/process_memory.h"

#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

namespace core {
namespace {

std::int64_t status_bytes(pid_t process, std::string_view field) {
  std::ifstream status("/proc/" + (process == 0 ? "self" : std::to_string(process)) + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(field)) return std::strtoll(line.c_str() + field.size(), nullptr, 10) * 1024;
  return 0;
}

}  // namespace

std::int64_t resident_memory_bytes(pid_t process) {
  return status_bytes(process, "VmRSS:");
}

std::int64_t peak_memory_bytes(pid_t process) {
  return status_bytes(process, "VmHWM:");
}

void reset_peak_memory() {
  std::ofstream("/proc/self/clear_refs") << "5";
}

}  // namespace core
