#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kfp/ir/pipeline_spec.h"

namespace kfp::ir {

/// A mistake, or a surprising property.
struct Problem {
  enum class Severity {
    kError,    ///< the pipeline cannot run
    kWarning,  ///< a pitfall of the backend: the pipeline compiles, but fails or behaves differently at run
               ///< time
    kNote      ///< it works, but with a consequence that is easily overlooked
  };

  Severity severity = Severity::kError;
  std::string place;  ///< "root.dag.tasks.train.inputs.parameters.epochs"
  std::string message;
  std::string hint;

  /// "error: place: message (hint)"
  std::string to_text() const;
  nlohmann::json to_json() const;
};

/// Checks a pipeline as far as possible without running it: references (components, executors, tasks, inputs,
/// outputs), required inputs, types of parameters and artifacts at both ends, cycles, conditions, loops,
/// placeholders, Kubernetes settings, and the pitfalls of the open-source backend (doc/kfp.md). Problems are
/// in the order of the document. Never throws because of the pipeline's content.
std::vector<Problem> validate(const Pipeline& pipeline);

/// True if one of them is an error.
bool has_errors(const std::vector<Problem>& problems);

/// The tasks of a DAG, each after those it waits for or takes values from; alphabetical if several could be
/// next. Tasks of a cycle, and those that depend on them, are left out.
std::vector<std::string> topological_order(const Dag& dag);

/// The other tasks that a task waits for or takes values from, sorted, including tasks that do not exist.
std::vector<std::string> upstream_of(const Task& task);

}  // namespace kfp::ir
