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

/// Calls body(). An error that it throws, also one of the JSON library (a field is missing or of another
/// type), becomes an InputError that names `file`.
template <class Body>
auto in_file(const std::filesystem::path& file, const Body& body) -> decltype(body()) {
  try {
    return body();
  } catch (const Error& error) {
    ErrorDetails details = error.details();
    details.file = file;
    throw InputError(details);
  } catch (const nlohmann::json::exception& error) {
    throw InputError({.message = error.what(), .file = file});
  }
}

}  // namespace core
