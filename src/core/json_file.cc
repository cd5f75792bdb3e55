#include "core/json_file.h"

#include <fmt/format.h>

#include "core/staged_output.h"

namespace core {

nlohmann::json read_json(const std::filesystem::path& file, const std::string& hint) {
  const std::string text = read_file(file);
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    throw InputError({.message = fmt::format("is not JSON: {}", error.what()), .file = file, .hint = hint});
  }
}

}  // namespace core
