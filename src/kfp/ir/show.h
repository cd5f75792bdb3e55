#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "kfp/ir/pipeline_spec.h"

namespace kfp::ir {

/// The graph of a pipeline: what it takes and gives, and its tasks in topological order (by name among
/// equals), each with its component, inputs and where they come from, conditions, loops, retries, Kubernetes
/// settings, and the tasks of its own DAG inside. A DAG that several tasks run is shown at the first of them
/// (`same_as` names it elsewhere), so that the size stays that of the file. Also for pipelines with mistakes.
nlohmann::json graph(const Pipeline& pipeline);

/// The same for people, DAGs indented.
std::string show(const Pipeline& pipeline);

}  // namespace kfp::ir
