#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "kfp/local/detail/node.h"
#include "kfp/local/detail/resolve.h"
#include "kfp/local/detail/run_folder.h"
#include "kfp/local/runner.h"

namespace kfp::local {

/// Runs the tasks of one run. It uses one thread: tasks are processes, and only the hashing of outputs runs
/// in other threads.
class Scheduler {
 public:
  /// @param run record from the store, claimed by this process
  Scheduler(const ir::Pipeline& pipeline, RunRecord run, const RunnerOptions& options, Store& store,
            Observer& observer);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// Takes over the work of an earlier process on this run. Tasks that are done with the same inputs are
  /// kept.
  /// @param program_version version of the earlier program
  void resume_from(const std::vector<TaskRecord>& tasks, const std::vector<ArtifactRecord>& artifacts,
                   const std::string& program_version);

  /// Runs to the end, or until it is interrupted. @return the finished run, which is also in the store
  RunResult execute();
  bool interrupted() const { return stop_ == Stop::kInterrupted; }

 private:
  enum class Stop { kNo, kInterrupted, kTimedOut };

  // Functions for the graph: scheduler.cc.
  Node& add_child(Node& parent, std::string key, const ir::Task& task, int iteration);
  void add_iteration(Node& loop);
  void expand_dag(Node& dag);
  void expand_loop(Node& loop);
  void activate(Node& node);
  void finish(Node& node, State state, const std::string& error = {});
  void settle(Node& node);
  void drain();
  bool upstream_allows(const Node& node, std::string& reason) const;
  void stop(Stop why);
  void wait();
  void put(Node& node);
  void announce(Node& node);
  bool was_done(const std::string& path) const;
  void warn_once(const std::string& message);
  RunResult result() const;

  // Functions for containers and importers: scheduler_tasks.cc.
  void prepare(Node& node);
  void import(Node& node);
  bool take_earlier(Node& node, const std::string& earlier_key);
  bool take_cached(Node& node);
  bool restore_outputs(Node& node, const TaskRecord& record, const std::vector<ArtifactRecord>& artifacts);
  void start_ready();
  void start(Node& node);
  void look_at_running();
  void look_at_collecting();
  void terminate(Node& node, const std::string& reason);
  void attempt_failed(Node& node, std::string error);
  void succeed(Node& node, Values outputs);
  void collect(Node& node, std::function<Values()> work);
  void put_artifacts(const Node& node, ArtifactRecord::Direction direction,
                     const std::map<std::string, std::vector<Artifact>>& artifacts);
  bool is_forced(const Node& node) const;
  void warn_of_platform(const Node& node);
  void warn_of_environment(const Node& node);
  const ir::KubernetesExecutorConfig* platform_of(const Node& node) const;

  const ir::Pipeline& pipeline_;
  RunRecord run_;
  RunnerOptions options_;
  Store& store_;
  Observer& observer_;
  RunFolder folder_;
  RunNames names_;
  Budget budget_;

  Guard guard_;  ///< constructed before the tasks, and destroyed after them
  Node root_;
  std::deque<Node*> to_activate_;
  std::deque<Node*> to_settle_;
  std::deque<Node*> ready_;  ///< tasks that wait for resources
  std::vector<Node*> running_;
  std::vector<Node*> collecting_;
  std::vector<Node*> backing_off_;

  std::map<std::string, TaskRecord> earlier_;
  std::map<std::string, std::vector<ArtifactRecord>> earlier_artifacts_;
  std::string earlier_version_;

  Stop stop_ = Stop::kNo;
  std::optional<Clock::time_point> run_deadline_;
  std::set<std::string> warned_;
  int wake_ = -1;  ///< event descriptor, written when outputs have been collected
};

}  // namespace kfp::local
