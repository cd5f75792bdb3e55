#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kfp/ir/pipeline_spec.h"
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
/// @throws core::InputError where an input that has no value is needed, or nothing is left to be run
std::vector<std::string> command_line(const ir::Container& container, const nlohmann::json& executor_input);

/// Empties `root`, and makes the parents of all outputs. @throws core::UnavailableError
void prepare_outputs(const nlohmann::json& executor_input, const std::filesystem::path& root);

/// Reads what a task that exited with 0 left: its executor output, which comes first, its parameter files,
/// and its artifacts (hashed; those that are missing have no hash).
/// @throws core::InputError where an output parameter is missing or of another type, the executor output is
/// not as its schema says, or an artifact was put outside of `root`
Values collect_outputs(const ir::ComponentSpec& component, const nlohmann::json& executor_input,
                       const std::filesystem::path& root);

/// A parameter as text in a command: strings as they are, numbers without exponent ("0.0000001", "1" for
/// 1.0), lists and structs as JSON.
std::string parameter_text(const nlohmann::json& value);

/// Replaces `{{$.inputs.parameters['x']}}` in all texts of a JSON value (metadata of importers).
/// @throws core::InputError where x has no value
nlohmann::json with_parameters(const nlohmann::json& value,
                               const std::map<std::string, nlohmann::json>& parameters);

}  // namespace kfp::local
