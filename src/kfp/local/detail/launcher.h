#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kfp/ir/pipeline_spec.h"
#include "kfp/ir/placeholder.h"
#include "kfp/local/artifact.h"

/// The contract of a container at run time, as the driver and launcher of the Kubeflow backend implement it
/// (backend/src/v2/driver, backend/src/v2/component/launcher_v2.go).
namespace kfp::local {

/// The JSON that replaces `{{$}}` (ExecutorInput). Declared defaults are filled in. The uri of output
/// artifacts is `<root>/<name>`, the path of output parameters `<root>/.parameters/<name>`, of the executor
/// output `<root>/.executor_output.json`.
nlohmann::json executor_input(const ir::ComponentSpec& component, const Values& inputs,
                              const std::filesystem::path& root);

/// The program and its arguments. Placeholders are resolved in one pass, so that a value that looks like a
/// placeholder is not replaced. As on the cluster, only `{{$}}` is replaced in the first element, and
/// placeholders unknown to the launcher (`{{$.outputs.output_file}}`, run placeholders outside constants)
/// remain. Unlike on the cluster, Concat and nested if-present are resolved.
/// @throws core::InputError if an input without a value is needed, or the container has no command: `args`
///         alone are never run
std::vector<std::string> command_line(const ir::Container& container, const nlohmann::json& executor_input);

/// Empties `root`, and creates the parents of all outputs. @throws core::UnavailableError
void prepare_outputs(const nlohmann::json& executor_input, const std::filesystem::path& root);

/// Reads the outputs of a task that exited with 0: its executor output, which takes precedence, its parameter
/// files, and its artifacts (with hashes, except for missing ones).
/// @throws core::InputError if an output parameter is missing or of another type, the executor output
///         violates its schema, or an artifact is outside `root`
Values collect_outputs(const ir::ComponentSpec& component, const nlohmann::json& executor_input,
                       const std::filesystem::path& root);

/// A parameter as a string in a command: ir::value_text().
std::string parameter_text(const nlohmann::json& value);

/// Returns the value of a placeholder; nullopt leaves it unchanged.
using Resolver = std::function<std::optional<std::string>(const ir::Placeholder&)>;
/// Replaces the placeholders of a string in one pass, so that placeholders in values remain.
std::string substitute(std::string_view text, const Resolver& resolve);
/// Replaces every string of a JSON value, at any depth and including keys, by `text` of it.
/// @throws core::InputError if two keys become equal
nlohmann::json map_texts(const nlohmann::json& value,
                         const std::function<std::string(const std::string&)>& text);

/// Replaces `{{$.inputs.parameters['x']}}` in all strings of a JSON value (metadata of importers).
/// @throws core::InputError if x has no value
nlohmann::json with_parameters(const nlohmann::json& value,
                               const std::map<std::string, nlohmann::json>& parameters);

}  // namespace kfp::local
