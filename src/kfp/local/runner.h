#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kfp/ir/pipeline_spec.h"
#include "kfp/local/store.h"

namespace kfp::local {

/// How a pipeline is run here.
struct RunnerOptions {
  std::string run_name;  ///< shown by `runs list`; empty: the pipeline's name

  double cpus = 0;                ///< budget of all tasks that run at once; 0: available threads
  std::int64_t memory_bytes = 0;  ///< likewise; 0: what this machine or control group has
  int accelerators = -1;          ///< likewise; negative: NVIDIA devices of this machine
  double default_cpus = 1;        ///< claim of a task without a CPU request
  std::int64_t default_memory_bytes = 0;

  bool cache = true;               ///< false: every task is run
  std::vector<std::string> force;  ///< tasks (by path or name) that are run in spite of the cache

  /// Programs by the name that commands give them ("calopipe" → this binary); others are searched in PATH.
  std::map<std::string, std::filesystem::path> programs;
  std::map<std::string, std::string> environment;  ///< added to that of every task
  std::filesystem::path working_folder;            ///< of the tasks; empty: the current one
  std::string program_version;                     ///< part of the cache's key
  double grace_s = 60;                             ///< from SIGTERM to SIGKILL
};

/// How a run ended.
struct RunResult {
  RunRecord run;                                      ///< state kSucceeded or kFailed
  nlohmann::json outputs = nlohmann::json::object();  ///< output parameters of the pipeline
  std::map<State, int> tasks;                         ///< how many (DAGs aside) ended how
};

/// Is told what happens, from the thread that runs the pipeline. Must not throw.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_run(const RunRecord& run) { (void)run; }
  /// A task's record changed: at least once per state.
  virtual void on_task(const TaskRecord& task) { (void)task; }
  virtual void on_warning(const std::string& message) { (void)message; }
  /// A few times per second while tasks run.
  virtual void on_tick() {}
};

/// Runs a compiled pipeline to its end: each task as a process of its own, as the Kubeflow backend would
/// (conditions, loops, exit tasks, retries, caching, contract of the launcher: launcher.h). The state is
/// written to the store at every step, so that a killed run can be resumed. Returns also where tasks failed:
/// other branches go on, dependents are skipped, exit tasks run, and the run is kFailed.
///
/// Must be called from a thread that lives until it returns (tasks are killed by the kernel when it ends).
/// @param parameters run parameters by name, checked against the pipeline's inputs
/// @throws core::UsageError (parameters, names in `force`), core::InputError (the pipeline cannot run: the
/// errors of ir::validate(), unsafe names), core::UnavailableError (disk, store), core::Interrupted
/// (core::interrupt_requested(); tasks got SIGTERM, the run is kCanceled)
RunResult run(const ir::Pipeline& pipeline, const nlohmann::json& parameters, const RunnerOptions& options,
              Store& store, Observer* observer = nullptr);

/// Goes on with a run that failed, was interrupted or killed: tasks that are done with the same inputs are
/// kept, everything else is run. Cache, working folder and name are those of the run; the rest is as in
/// `options`. A run that succeeded is returned as it is.
/// @throws core::UsageError (unknown run, another process runs it) and what run() throws
RunResult resume(const std::string& run_id, const RunnerOptions& options, Store& store,
                 Observer* observer = nullptr);

}  // namespace kfp::local
