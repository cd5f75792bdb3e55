#include "core/text.h"

#include <cstdlib>

namespace core {

std::string trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin));
}

std::string environment(std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing sets them
        value != nullptr && *value != '\0')
      return value;
  return "";
}

}  // namespace core
