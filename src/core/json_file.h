#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"

namespace core {

/// The content of a JSON file.
/// @param hint advice to the user if the content is not JSON
/// @throws InputError if the file is missing, unreadable or not JSON (with the position)
nlohmann::json read_json(const std::filesystem::path& file, const std::string& hint = "");

/// Calls body(). If it throws UsageError, InputError or an exception of the JSON library (a field is missing
/// or of another type), throws an InputError that names `file` instead. Other errors, such as an
/// interruption, pass through.
template <class Body>
auto in_file(const std::filesystem::path& file, const Body& body) -> decltype(body()) {
  try {
    return body();
  } catch (const Error& error) {
    if (error.exit_code() != ExitCode::kUsage && error.exit_code() != ExitCode::kInput) throw;
    throw InputError(error, file);
  } catch (const nlohmann::json::exception& error) {
    throw InputError({.message = error.what(), .file = file});
  }
}

}  // namespace core
