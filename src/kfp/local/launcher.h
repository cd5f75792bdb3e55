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

/// What a container is promised at run time, as the driver and launcher of the Kubeflow backend keep it
/// (backend/src/v2/driver, backend/src/v2/component/launcher_v2.go).
namespace kfp::local {

/// The JSON that `{{$}}` stands for (ExecutorInput). Declared defaults are filled in. Output artifacts get
/// `<root>/<name>` as uri, output parameters `<root>/.parameters/<name>`, the executor output
/// `<root>/.executor_output.json`.
nlohmann::json executor_input(const ir::ComponentSpec& component, const Values& inputs,
                              const std::filesystem::path& root);

/// The program and its arguments: placeholders resolved in one pass, so that a value that looks like a
/// placeholder stays as it is. As on the cluster, the first element gets `{{$}}` only, and what the launcher
/// does not know (`{{$.outputs.output_file}}`, run placeholders outside constants) is left alone. Unlike
/// there, Concat and nested if-present are resolved.
/// @throws core::InputError if an input that has no value is needed, or the container has no command:
/// `args` alone are never run
std::vector<std::string> command_line(const ir::Container& container, const nlohmann::json& executor_input);

/// Empties `root`, and makes the parents of all outputs. @throws core::UnavailableError
void prepare_outputs(const nlohmann::json& executor_input, const std::filesystem::path& root);

/// Reads what a task that exited with 0 left: its executor output, which comes first, its parameter files,
/// and its artifacts (hashed; those that are missing have no hash).
/// @throws core::InputError if an output parameter is missing or of another type, the executor output is
/// not as its schema says, or an artifact was put outside of `root`
Values collect_outputs(const ir::ComponentSpec& component, const nlohmann::json& executor_input,
                       const std::filesystem::path& root);

/// A parameter as text in a command: ir::value_text().
std::string parameter_text(const nlohmann::json& value);

/// The value of a placeholder; none leaves it as it is.
using Resolver = std::function<std::optional<std::string>(const ir::Placeholder&)>;
/// Replaces the placeholders of a text, in one pass: values are not looked at again.
std::string substitute(std::string_view text, const Resolver& resolve);
/// Every text of a JSON value, at any depth and keys included, by `text`.
/// @throws core::InputError if two keys become one
nlohmann::json map_texts(const nlohmann::json& value,
                         const std::function<std::string(const std::string&)>& text);

/// Replaces `{{$.inputs.parameters['x']}}` in all texts of a JSON value (metadata of importers).
/// @throws core::InputError if x has no value
nlohmann::json with_parameters(const nlohmann::json& value,
                               const std::map<std::string, nlohmann::json>& parameters);

}  // namespace kfp::local
