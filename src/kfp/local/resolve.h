#pragma once

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

/// Fills in the inputs of a task whose upstream tasks have ended. @throws core::InputError
void resolve_inputs(Node& node, const RunNames& run);

/// The items that a loop goes over. @throws core::InputError
std::vector<nlohmann::json> loop_items(const Node& loop);
/// The inputs of one iteration.
Values iteration_inputs(const Node& loop, const nlohmann::json& item);

/// Fills in the outputs of a DAG from its tasks. Outputs whose task did not run are left out.
void resolve_outputs(Node& dag);
/// Fills in the outputs of a loop: lists, in the order of the items. Loops inside add to the same list.
void collect_iterations(Node& loop);

}  // namespace kfp::local
