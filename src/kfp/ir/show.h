#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "kfp/ir/pipeline_spec.h"

namespace kfp::ir {

/// The graph of a pipeline: its inputs and outputs, and its tasks in topological order (alphabetical if
/// several could be next), each with its component, inputs and their sources, conditions, loops, retries,
/// Kubernetes settings, and the tasks of its own DAG. A DAG that several tasks run is listed only at the
/// first of them (`same_as` refers to it), so that the size is proportional to that of the file. Pipelines
/// with mistakes are allowed.
nlohmann::json graph(const Pipeline& pipeline);

/// The same as readable text, with indented DAGs.
std::string show(const Pipeline& pipeline);

}  // namespace kfp::ir
