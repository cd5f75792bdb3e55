#pragma once

#include <string>
#include <vector>

#include "kfp/dsl/port.h"
#include "kfp/ir/pipeline_spec.h"

namespace kfp::dsl {

/// A component that runs a program in an image. Command and arguments are strings. The functions below return
/// the placeholders for inputs and outputs, which may be part of a longer string:
/// @code
/// const ContainerComponent count{.name = "count",
///                                .inputs = {{"data", artifact("system.Dataset")},
///                                           {"n", parameter(kNumberInteger)}},
///                                .outputs = {{"lines", parameter(kNumberInteger)}},
///                                .image = "alpine@sha256:…",
///                                .command = {"count-lines"},
///                                .args = {"--data", input_path("data"), "--max=" + input("n"),
///                                         "--out", output_file("lines")}};
/// @endcode
struct ContainerComponent {
  std::string name;         ///< tasks are called kubernetes_name() of it, as in the SDK
  std::string description;  ///< description for human readers
  Ports inputs;
  Ports outputs;
  std::string image;
  std::vector<std::string> command;  ///< program; the first word is taken literally
  std::vector<std::string> args;
};

/// Placeholder for the value of an input parameter.
std::string input(const std::string& name);
/// Placeholders for local path, URI and metadata (JSON, or one key's value) of an input artifact.
std::string input_path(const std::string& name);
std::string input_uri(const std::string& name);
std::string input_metadata(const std::string& name, const std::string& key = "");
/// Placeholder for a whole list of artifacts, as JSON.
std::string input_artifacts(const std::string& name);
/// Placeholder for the file into which the program writes an output parameter.
std::string output_file(const std::string& name);
/// Placeholders for local path, URI and metadata of an output artifact.
std::string output_path(const std::string& name);
std::string output_uri(const std::string& name);
std::string output_metadata(const std::string& name, const std::string& key = "");
/// Placeholder for all inputs and outputs as one JSON string, which the launcher fills in at run time.
std::string executor_input();

/// Joins strings. The backend does not resolve the IR's Concat, so it is never written.
std::string concat(const std::vector<std::string>& parts);

/// Arguments that are included only if an optional input parameter is passed, and others (or none) if it is
/// not. The result is a whole element of command or arguments. The backend resolves it only for parameters,
/// and only if the arguments name no outputs; anything else is an error when the component is used.
std::string if_present(const std::string& input, const std::vector<std::string>& then,
                       const std::vector<std::string>& otherwise = {});

/// Checks a component: its names and ports, and that every placeholder names an input or output of the right
/// kind, in a form that the backend resolves. Replaces Concat (in components compiled by the SDK) by one
/// string.
/// @throws core::UsageError naming the component and the argument
ContainerComponent checked(ContainerComponent component);

/// True if command or arguments need the value of this input (outside if_present).
bool needs_input(const ContainerComponent& component, const std::string& input);

/// The container component of a component file (`calopipe components export`, or the Python SDK's).
/// @throws core::InputError if it is a pipeline, or has no container
ContainerComponent component_from_ir(const ir::Pipeline& component);

/// Inputs and outputs of a component or pipeline in the IR.
Ports inputs_from_ir(const ir::ComponentSpec& component);
Ports outputs_from_ir(const ir::ComponentSpec& component);

}  // namespace kfp::dsl
