#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"

namespace core {

/// The content of a JSON file.
/// @param hint what the user can do if it is no JSON
/// @throws InputError if it is missing, unreadable or no JSON (with the place)
nlohmann::json read_json(const std::filesystem::path& file, const std::string& hint = "");

/// Calls body(). If it finds what it is given wrong (UsageError, InputError, an exception of the JSON library
/// for a field that is missing or of another type), that becomes an InputError that names `file`. Other
/// errors, such as an interruption, pass through.
template <class Body>
auto in_file(const std::filesystem::path& file, const Body& body) -> decltype(body()) {
  try {
    return body();
  } catch (const Error& error) {
    if (error.exit_code() != ExitCode::kUsage && error.exit_code() != ExitCode::kInput) throw;
    ErrorDetails details = error.details();
    details.file = file;
    throw InputError(details);
  } catch (const nlohmann::json::exception& error) {
    throw InputError({.message = error.what(), .file = file});
  }
}

}  // namespace core
