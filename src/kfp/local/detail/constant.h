#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "kfp/ir/placeholder.h"

namespace kfp::local {

/// Values of the placeholders in the constants of a task.
struct ConstantScope {
  /// The value of an input parameter of the task; nullopt if the task has no such input, null if it has no
  /// value.
  std::function<std::optional<nlohmann::json>(const std::string& name)> parameter;
  /// The uri or path of an input artifact; nullopt if there is none.
  std::function<std::optional<std::string>(const ir::Placeholder&)> artifact;
  /// A property of the run ("{{$.pipeline_job_name}}"); nullopt if unknown.
  std::function<std::optional<std::string>(const ir::Placeholder&)> run;
  /// Receives warnings about placeholders that are not replaced, as on the cluster.
  std::function<void(const std::string& message)> warn;
};

/// A constant of a task with its placeholders resolved once, at any depth of lists and structs, including
/// keys. `{{$.inputs.parameters['x']}}` and input artifacts are resolved as the backend's launcher does in
/// commands. Properties of the run are resolved only as the whole constant, the path of the workspace
/// anywhere in a string that is the whole constant, as the driver does; elsewhere they remain, with a
/// warning.
/// @throws core::InputError with the string, if a placeholder names an input that the task does not have, or
///         is not allowed in a constant
nlohmann::json resolve_constant(const nlohmann::json& value, const ConstantScope& scope);

/// True if a string in the value has a placeholder for the input parameter `name`.
bool mentions_parameter(const nlohmann::json& value, const std::string& name);

}  // namespace kfp::local
