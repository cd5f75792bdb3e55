#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kfp/ir/pipeline_spec.h"
#include "kfp/local/store.h"

namespace kfp::local {

/// Options for running a pipeline on this machine.
struct RunnerOptions {
  std::string run_name;  ///< shown by `runs list`; empty = the pipeline's name

  double cpus = 0;                ///< budget of all simultaneous tasks; 0 = available threads
  std::int64_t memory_bytes = 0;  ///< budget; 0 = memory of this machine or control group
  int accelerators = -1;          ///< budget; negative = NVIDIA devices of this machine
  double default_cpus = 1;        ///< claim of a task without a CPU request
  std::int64_t default_memory_bytes = 0;

  bool cache = true;               ///< false = run every task
  std::vector<std::string> force;  ///< tasks (by path or name) to run in spite of the cache

  /// Paths of programs by their name in commands ("calopipe" → this binary); others are found in PATH.
  std::map<std::string, std::filesystem::path> programs;
  std::map<std::string, std::string> environment;  ///< variables added to the environment of every task
  std::filesystem::path working_folder;            ///< working folder of the tasks; empty = the current one
  std::string program_version;                     ///< part of the cache key
  double grace_s = 60;                             ///< time from SIGTERM to SIGKILL
  /// Asked a few times per second: true interrupts this run as core::interrupt_requested() interrupts all.
  std::function<bool()> stop_requested;
};

/// Result of a run.
struct RunResult {
  RunRecord run;                                      ///< state kSucceeded or kFailed
  nlohmann::json outputs = nlohmann::json::object();  ///< output parameters of the pipeline
  std::map<State, int> tasks;                         ///< number of tasks (except DAGs) in each final state
};

/// Receives events, in the thread that runs the pipeline. Must not throw.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_run(const RunRecord& run) { (void)run; }
  /// A task's record has changed: called at least once per state.
  virtual void on_task(const TaskRecord& task) { (void)task; }
  virtual void on_warning(const std::string& message) { (void)message; }
  /// Called a few times per second while tasks run.
  virtual void on_tick() {}
};

/// Runs a compiled pipeline to its end: each task as a separate process, as the Kubeflow backend would
/// (conditions, loops, exit tasks, retries, caching, contract of the launcher: launcher.h). Every step writes
/// the state to the store, so that a killed run can be resumed. If tasks fail, it returns normally: other
/// branches continue, dependents are skipped, exit tasks run, and the run is kFailed.
///
/// Must be called from a thread that lives until it returns (the kernel kills tasks when the thread ends).
/// @param parameters run parameters by name, checked against the pipeline's inputs
/// @throws core::UsageError (parameters, names in `force`), core::InputError (the pipeline cannot run: the
///         errors of ir::validate(), unsafe names), core::UnavailableError (disk, store), core::Interrupted
///         (core::interrupt_requested(); tasks got SIGTERM, the run is kCanceled)
RunResult run(const ir::Pipeline& pipeline, const nlohmann::json& parameters, const RunnerOptions& options,
              Store& store, Observer* observer = nullptr);

/// Resumes a run that failed, was interrupted or killed: tasks that are done with the same inputs are kept,
/// all others are run. Cache, working folder and name are those of the run; the rest comes from `options`. A
/// run that succeeded is returned unchanged.
/// @throws core::UsageError (unknown run, another process runs it) and the exceptions of run()
RunResult resume(const std::string& run_id, const RunnerOptions& options, Store& store,
                 Observer* observer = nullptr);

}  // namespace kfp::local
