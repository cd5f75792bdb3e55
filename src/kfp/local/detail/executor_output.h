#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "kfp/ir/types.h"

namespace kfp::local {

/// The outputs that a task reports in `outputs.outputFile` (ExecutorOutput).
struct ExecutorOutput {
  struct Artifact {
    std::optional<std::string> uri;
    nlohmann::json metadata = nlohmann::json::object();
  };
  std::map<std::string, nlohmann::json> parameters;
  std::map<std::string, std::vector<Artifact>> artifacts;
};

/// Parses it as strictly as the launcher: proto3 JSON in camelCase or snake_case.
/// @param file name for errors
/// @throws core::InputError with the place: not JSON, unknown or repeated fields, null, wrong types, numbers
///         that are not finite
ExecutorOutput parse_executor_output(const std::string& text, const std::filesystem::path& file);

/// Parses the value of an output parameter from its file: numbers and Booleans are trimmed, lists and structs
/// are JSON. @throws core::InputError
nlohmann::json parse_output_parameter(const std::string& text, ir::ParameterType type,
                                      const std::string& name, const std::filesystem::path& file);

}  // namespace kfp::local
