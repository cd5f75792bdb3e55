#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

/// Runs pipelines on this machine and keeps the records of runs.
namespace kfp::local {

/// Progress of a run or a task.
enum class State {
  kPending,    ///< waits for other tasks or for resources
  kRunning,    ///< its process lives (or lived, if the runner was killed)
  kSucceeded,  ///< run and finished by this run
  kCached,     ///< not run: an earlier task with the same content has the outputs
  kSkipped,    ///< its condition was false, or something that it needs was skipped or failed
  kFailed,
  kCanceled  ///< interrupted; can be resumed
};

/// Name of a state in the KFP API: "PENDING" …
std::string to_string(State state);
/// @throws core::InputError if there is no such state
State parse_state(const std::string& text);
/// True if nothing more will happen without a resume.
bool is_final(State state);

/// Where a run is that another machine runs, and what was last known of it. Never has a login.
struct RemotePlace {
  std::string context;  ///< name of the context that the run was started with
  std::string server;   ///< address of its server
  std::string state;    ///< last known state, in the server's words: "CANCELING"
  double seen_s = 0;    ///< time of that state, in seconds since 1970
  std::string problem;  ///< why the state could not be refreshed just now; not stored
};

/// One run of a pipeline.
struct RunRecord {
  /// unique id, sortable by time: "20261124-093000-3fa9"; of a remote run, the server's
  std::string id;
  std::string pipeline;
  std::string name;  ///< display name
  State state = State::kPending;
  double created_s = 0;   ///< seconds since 1970
  double finished_s = 0;  ///< 0 = not finished
  nlohmann::json parameters = nlohmann::json::object();
  std::string program_version;
  std::string spec_sha256;        ///< hash of the compiled pipeline
  std::filesystem::path folder;   ///< folder of pipeline.yaml, logs and artifacts of the run
  std::int64_t runner_pid = 0;    ///< id of the process that runs it; 0 = none
  std::int64_t runner_start = 0;  ///< start time of that process in clock ticks, to detect reused ids
  std::string error;              ///< first failure, in one line
  nlohmann::json options =
      nlohmann::json::object();       ///< options that a resume needs to continue in the same way
  std::optional<RemotePlace> remote;  ///< for a run on a server; such a run has no process here
};

/// One task of a run; in a loop, one iteration of it. DAGs (conditions, loops, nested pipelines) are tasks,
/// too.
struct TaskRecord {
  std::string run_id;
  std::string path;       ///< path, unique in the run: "train", "for-loop-1[2]/train"
  std::string name;       ///< display name
  std::string component;  ///< "comp-train"
  bool is_dag = false;
  State state = State::kPending;
  int attempt = 0;  ///< number of attempts so far
  double started_s = 0, finished_s = 0;
  std::optional<int> exit_code;
  std::string cache_key;
  std::string cached_from;  ///< run that produced the outputs (for kCached)
  std::filesystem::path log;
  std::string error;
  nlohmann::json inputs = nlohmann::json::object();   ///< parameters by name
  nlohmann::json outputs = nlohmann::json::object();  ///< parameters by name
  double cpu_s = 0;                                   ///< user + system time of the process
  std::int64_t peak_memory_bytes = 0;
};

/// An artifact that a task read or wrote.
struct ArtifactRecord {
  enum class Direction { kInput, kOutput };

  std::string run_id;
  std::string task_path;
  Direction direction = Direction::kOutput;
  std::string name;            ///< name of the task's input or output
  std::string type;            ///< "system.Model"
  std::filesystem::path path;  ///< path of the content
  std::string sha256;          ///< hash of the content (core::sha256_of_path); empty if it is missing
  std::int64_t bytes = 0;
  nlohmann::json metadata = nlohmann::json::object();
};

/// The records of all runs in one folder: `<folder>/runs.db` (SQLite, with a write-ahead log except on
/// network file systems), and one folder per run in `<folder>/runs/`. Several processes may use it at the
/// same time, and several threads may use one object.
class Store {
 public:
  /// Opens or creates a store. @throws core::UnavailableError (no permission, disk full, network file system
  /// without locks), core::InputError (not a store, or of a newer version)
  static std::unique_ptr<Store> open(const std::filesystem::path& folder);
  virtual ~Store() = default;

  virtual const std::filesystem::path& folder() const = 0;

  /// Assigns an id (unless the run is remote, which has one) and a folder to the run, and records it.
  /// @return the record with both
  /// @throws core::InputError if the id of a remote run is not a plain name; core::UsageError if it is known
  virtual RunRecord create_run(RunRecord record) = 0;
  virtual void update_run(const RunRecord& record) = 0;
  /// Takes over a run (resume): sets its runner and state kRunning in one step.
  /// @throws core::UsageError if another live process runs it, or it is remote
  virtual RunRecord claim_run(const std::string& id) = 0;

  /// The run with this id, unique beginning of an id, or "latest".
  /// @throws core::UsageError if there is none, or several (they are listed)
  virtual RunRecord run(const std::string& id) const = 0;
  /// All runs, newest first. An unfinished run whose runner is dead is reported as kCanceled, unless it is
  /// remote.
  virtual std::vector<RunRecord> runs() const = 0;
  /// Deletes records and folder. Artifacts that other runs use through the cache are kept: they are moved to
  /// the oldest of those runs, and the records are updated. @throws core::UsageError if it is running
  virtual void delete_run(const std::string& id) = 0;

  /// Inserts or replaces a task, by run and path.
  virtual void put_task(const TaskRecord& record) = 0;
  /// The tasks in the order of their first insertion.
  virtual std::vector<TaskRecord> tasks(const std::string& run_id) const = 0;
  /// The task with this path, last part of the path, or display name.
  /// @throws core::UsageError if there is none, or several
  virtual TaskRecord task(const std::string& run_id, const std::string& path) const = 0;

  /// Inserts or replaces an artifact, by run, task, direction and name.
  virtual void put_artifact(const ArtifactRecord& record) = 0;
  virtual std::vector<ArtifactRecord> artifacts(const std::string& run_id) const = 0;

  /// The newest successful task with this key whose output artifacts all exist unchanged (same size and time
  /// of modification, or else same content).
  virtual std::optional<TaskRecord> find_cached(const std::string& cache_key) const = 0;
};

/// Default folder of the store: `$CALOPIPE_STORE`, else `.calopipe` in the current folder.
std::filesystem::path default_store_folder();

}  // namespace kfp::local
