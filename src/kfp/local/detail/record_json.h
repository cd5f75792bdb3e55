#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"

namespace kfp::local {

/// JSON as a string for the store. @throws core::InputError if a string in it is not UTF-8
inline std::string to_text(const nlohmann::json& value, const std::string& field) {
  try {
    return value.dump();
  } catch (const nlohmann::json::type_error&) {
    throw core::InputError({.message = "has a string that is not UTF-8", .field = field});
  }
}

/// @throws core::InputError if the store is damaged
inline nlohmann::json json_from_text(const std::string& text, const std::filesystem::path& file) {
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception&) {
    throw core::InputError({.message = "is damaged: a record is not JSON", .file = file});
  }
}

}  // namespace kfp::local
