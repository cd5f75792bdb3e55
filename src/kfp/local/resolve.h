#pragma once

#include <functional>
#include <string>

#include "kfp/local/node.h"

// Where the values of tasks come from, and where they go; the counterpart of the backend's driver.
namespace kfp::local {

/// What placeholders of a run stand for.
struct RunNames {
  std::string id;
  std::string name;
  std::string created;  ///< RFC 3339
  std::string workspace;
};

/// Receives what a user should know of a task.
using Warn = std::function<void(const std::string& message)>;

/// Fills in the inputs of a task whose upstream tasks have ended. Placeholders in its constants, and in the
/// defaults of its component, are resolved once (constant.h); values that come from elsewhere stay as they
/// are.
/// @throws core::InputError
void resolve_inputs(Node& node, const RunNames& run, const Warn& warn);

/// The items that a loop goes over; placeholders in them as in constants. @throws core::InputError
std::vector<nlohmann::json> loop_items(const Node& loop, const RunNames& run, const Warn& warn);
/// Fills in the inputs of one iteration. @throws core::InputError
void resolve_iteration(Node& iteration, const nlohmann::json& item, const RunNames& run, const Warn& warn);

/// Fills in the outputs of a DAG from its tasks. Outputs whose task did not run are left out.
void resolve_outputs(Node& dag);
/// Fills in the outputs of a loop: lists, in the order of the items. Loops inside add to the same list.
void collect_iterations(Node& loop);

}  // namespace kfp::local
