#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kfp/ir/pipeline_spec.h"

namespace kfp::ir {

/// What is wrong, or will surprise.
struct Problem {
  enum class Severity {
    kError,    ///< the pipeline cannot run
    kWarning,  ///< a trap of the backend: it compiles, and fails or does something else at run time
    kNote      ///< works, with a consequence that is easily overlooked
  };

  Severity severity = Severity::kError;
  std::string place;  ///< "root.dag.tasks.train.inputs.parameters.epochs"
  std::string message;
  std::string hint;

  /// "error: place: message (hint)"
  std::string to_text() const;
  nlohmann::json to_json() const;
};

/// Checks a pipeline as far as its text tells: references (components, executors, tasks, inputs, outputs),
/// required inputs, types of parameters and artifacts on both ends, cycles, conditions, loops, placeholders,
/// Kubernetes settings, and the traps of the open-source backend (doc/kfp.md). In the order of
/// the document. Reads only; never throws for what stands in the pipeline.
std::vector<Problem> validate(const Pipeline& pipeline);

/// True where one of them is an error.
bool has_errors(const std::vector<Problem>& problems);

/// The tasks of a DAG, each behind those it waits for or takes values from; by name among equals. Tasks of a
/// cycle, and those behind them, are left out.
std::vector<std::string> topological_order(const Dag& dag);

/// The other tasks that a task waits for or takes values from, sorted, whether they exist or not.
std::vector<std::string> upstream_of(const Task& task);

}  // namespace kfp::ir
