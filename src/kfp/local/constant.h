#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "kfp/ir/placeholder.h"

namespace kfp::local {

/// What the placeholders in the constants of a task stand for.
struct ConstantScope {
  /// The value of an input parameter of the task; none if the task has no such input, null if it has no
  /// value.
  std::function<std::optional<nlohmann::json>(const std::string& name)> parameter;
  /// The uri or path of an input artifact; none if there is none.
  std::function<std::optional<std::string>(const ir::Placeholder&)> artifact;
  /// What a property of the run is ("{{$.pipeline_job_name}}"); none if it is not known.
  std::function<std::optional<std::string>(const ir::Placeholder&)> run;
  /// Told of what stays in the text as it stands on the cluster, too.
  std::function<void(const std::string& message)> warn;
};

/// A constant of a task with its placeholders resolved once, at any depth of lists and structs, keys
/// included:
/// `{{$.inputs.parameters['x']}}` and input artifacts as the backend's launcher does it in commands.
/// Properties of the run only as the whole constant, the path of the workspace anywhere in a text that is the
/// whole constant, as the driver does it; elsewhere they stay, with a warning.
/// @throws core::InputError with the text, where a placeholder names what the task does not have, or cannot
/// stand in a constant
nlohmann::json resolve_constant(const nlohmann::json& value, const ConstantScope& scope);

/// True where a text of the value holds a placeholder of the input parameter `name`.
bool mentions_parameter(const nlohmann::json& value, const std::string& name);

}  // namespace kfp::local
