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
#include "kfp/local/detail/resources.h"
#include "kfp/local/process.h"
#include "kfp/local/store.h"

namespace kfp::local {

using Clock = std::chrono::steady_clock;

/// The execution of a container or importer task.
struct Execution {
  std::vector<std::string> arguments;
  std::filesystem::path program;
  nlohmann::json executor_input;
  Claim claim;
  int tries = 0;  ///< attempts by this process; the record counts all
  Clock::time_point first_start;
  Clock::time_point next_start;  ///< time before which a retry must not start
  std::optional<Clock::time_point> deadline;
  std::optional<Clock::time_point> kill_at;  ///< set after SIGTERM was sent
  std::string stopped_because;               ///< reason for SIGTERM
  std::unique_ptr<Process> process;
  std::future<Values> collecting;  ///< outputs, read and hashed in another thread
};

/// A task of a run in the scheduler: a container, an importer, a DAG, a loop, or one iteration.
struct Node {
  TaskRecord record;
  Node* parent = nullptr;          ///< the DAG or loop that contains it; null for the pipeline itself
  std::string key;                 ///< name in its DAG
  const ir::Task* task = nullptr;  ///< null for the pipeline itself
  const ir::ComponentSpec* component = nullptr;
  const ir::Executor* executor = nullptr;  ///< null for DAGs
  int iteration = -1;                      ///< index in its parent, if that is a loop

  Values inputs;
  Values outputs;
  std::set<std::string> collected;  ///< output parameters that are lists collected by loops
  bool ran = false;                 ///< this process ran it or something inside it

  std::vector<Node*> dependents;  ///< tasks of the same DAG that wait for it
  std::size_t waits_for = 0;

  std::vector<std::unique_ptr<Node>> children;
  std::map<std::string, Node*> by_key;  ///< children of a DAG
  std::size_t open_children = 0;
  std::vector<nlohmann::json> items;  ///< items of a loop
  /// For a loop: constants with a placeholder for the item, which each iteration resolves.
  std::set<std::string> item_constants;
  std::unique_ptr<Execution> execution;

  bool is_loop() const { return task != nullptr && task->parameter_iterator && iteration < 0; }
  bool succeeded() const { return record.state == State::kSucceeded || record.state == State::kCached; }
};

}  // namespace kfp::local
