#include "core/liveness.h"

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace core {

std::int64_t process_start(std::int64_t pid) {
  if (pid <= 0) return 0;
  std::ifstream stream("/proc/" + std::to_string(pid) + "/stat");
  const std::string text((std::istreambuf_iterator<char>(stream)), {});
  // The program's name, in parentheses, may contain spaces and parentheses.
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 1));
  std::string state, field;
  fields >> state;
  if (state == "Z" || state == "X") return 0;
  for (int number = 4; number < 22; ++number) fields >> field;
  std::int64_t start = 0;
  fields >> start;
  return start;
}

bool process_lives(std::int64_t pid, std::int64_t start) {
  const std::int64_t now = process_start(pid);
  return now != 0 && now == start;
}

}  // namespace core
