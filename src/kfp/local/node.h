#pragma once

#include <chrono>
#include <cstddef>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kfp/ir/pipeline_spec.h"
#include "kfp/local/artifact.h"
#include "kfp/local/process.h"
#include "kfp/local/resources.h"
#include "kfp/local/store.h"

namespace kfp::local {

using Clock = std::chrono::steady_clock;

/// The work of a container or importer task.
struct Execution {
  std::vector<std::string> arguments;
  std::filesystem::path program;
  nlohmann::json executor_input;
  Claim claim;
  int tries = 0;  ///< by this process; the record counts all
  Clock::time_point first_start;
  Clock::time_point next_start;  ///< not before, where it is tried again
  std::optional<Clock::time_point> deadline;
  std::optional<Clock::time_point> kill_at;  ///< it got SIGTERM
  std::string stopped_because;               ///< why it got SIGTERM
  std::unique_ptr<Process> process;
  std::future<Values> collecting;  ///< outputs, read and hashed beside the scheduler
};

/// A task of a run, as the scheduler sees it: a container, an importer, a DAG, a loop, or one iteration.
struct Node {
  TaskRecord record;
  Node* parent = nullptr;          ///< the DAG or loop it is in; null: the pipeline itself
  std::string key;                 ///< its name in its DAG
  const ir::Task* task = nullptr;  ///< null: the pipeline itself
  const ir::ComponentSpec* component = nullptr;
  const ir::Executor* executor = nullptr;  ///< null for DAGs
  int iteration = -1;                      ///< of its parent, if that is a loop

  Values inputs;
  Values outputs;
  std::set<std::string> collected;  ///< output parameters that are lists made by loops
  bool ran = false;                 ///< it, or something in it, was run by this process

  std::vector<Node*> dependents;  ///< tasks of the same DAG
  std::size_t waits_for = 0;

  std::vector<std::unique_ptr<Node>> children;
  std::map<std::string, Node*> by_key;  ///< children of a DAG
  std::size_t open_children = 0;
  std::vector<nlohmann::json> items;  ///< of a loop
  /// Of a loop: constants that name its item, which each iteration resolves.
  std::set<std::string> item_constants;
  std::unique_ptr<Execution> execution;

  bool is_loop() const { return task != nullptr && task->parameter_iterator && iteration < 0; }
  bool succeeded() const { return record.state == State::kSucceeded || record.state == State::kCached; }
};

}  // namespace kfp::local
