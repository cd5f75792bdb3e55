#pragma once

#include <functional>
#include <string>

#include "kfp/local/detail/node.h"

// Resolves inputs and outputs of tasks, as the backend's driver does.
namespace kfp::local {

/// Values of the placeholders for the run.
struct RunNames {
  std::string id;
  std::string name;
  std::string created;  ///< RFC 3339
  std::string workspace;
};

/// Receives warnings about a task.
using Warn = std::function<void(const std::string& message)>;

/// Sets the inputs of a task whose upstream tasks have ended. Placeholders in its constants, and in the
/// defaults of its component, are resolved once (constant.h); values from elsewhere stay unchanged.
/// @throws core::InputError
void resolve_inputs(Node& node, const RunNames& run, const Warn& warn);

/// The items of a loop, with placeholders resolved as in constants. @throws core::InputError
std::vector<nlohmann::json> loop_items(const Node& loop, const RunNames& run, const Warn& warn);
/// Sets the inputs of one iteration. @throws core::InputError
void resolve_iteration(Node& iteration, const nlohmann::json& item, const RunNames& run, const Warn& warn);

/// Sets the outputs of a DAG from its tasks. Outputs whose task did not run are left out.
void resolve_outputs(Node& dag);
/// Sets the outputs of a loop: lists in the order of the items. Inner loops add to the same list.
void collect_iterations(Node& loop);

}  // namespace kfp::local
