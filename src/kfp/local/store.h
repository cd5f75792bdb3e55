#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

/// Running pipelines on this machine, and the records of what ran.
namespace kfp::local {

/// How far a run or a task is.
enum class State {
  kPending,    ///< waits for others, or for a free place
  kRunning,    ///< its process lives (or lived, where the runner was killed)
  kSucceeded,  ///< done by this run
  kCached,     ///< not run: an earlier task with the same content had the same outputs
  kSkipped,    ///< its condition was false, or something that it needs was skipped or failed
  kFailed,
  kCanceled  ///< interrupted; can be resumed
};

/// "PENDING" …, as the KFP API spells them.
std::string to_string(State state);
/// @throws core::InputError if there is no such state
State parse_state(const std::string& text);
/// Whether nothing more will happen without a resume.
bool is_final(State state);

/// One run of a pipeline.
struct RunRecord {
  std::string id;  ///< sortable by time, unique: "20261124-093000-3fa9"
  std::string pipeline;
  std::string name;  ///< display name
  State state = State::kPending;
  double created_s = 0;   ///< seconds since 1970
  double finished_s = 0;  ///< 0 = not finished
  nlohmann::json parameters = nlohmann::json::object();
  std::string program_version;
  std::string spec_sha256;        ///< of the compiled pipeline
  std::filesystem::path folder;   ///< pipeline.yaml, logs, artifacts of the run
  std::int64_t runner_pid = 0;    ///< process that runs it; 0 = none
  std::int64_t runner_start = 0;  ///< start time of that process in clock ticks, against reused pids
  std::string error;              ///< first failure, one line
  nlohmann::json options = nlohmann::json::object();  ///< what a resume needs to go on in the same way
};

/// One task of a run: one iteration of it inside loops. DAGs (conditions, loops, nested pipelines) are tasks,
/// too.
struct TaskRecord {
  std::string run_id;
  std::string path;       ///< "train", "for-loop-1[2]/train": unique in the run
  std::string name;       ///< display name
  std::string component;  ///< "comp-train"
  bool is_dag = false;
  State state = State::kPending;
  int attempt = 0;  ///< tries so far
  double started_s = 0, finished_s = 0;
  std::optional<int> exit_code;
  std::string cache_key;
  std::string cached_from;  ///< run whose outputs these are (kCached)
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
  std::string name;            ///< of the task's input or output
  std::string type;            ///< "system.Model"
  std::filesystem::path path;  ///< where it lies
  std::string sha256;          ///< of its content (core::sha256_of_path); empty if it is missing
  std::int64_t bytes = 0;
  nlohmann::json metadata = nlohmann::json::object();
};

/// The records of all runs in one folder, in SQLite (write-ahead log): `<folder>/runs.db`, and one folder per
/// run in `<folder>/runs/`. Several processes may use it at once; one object may be used by several threads.
class Store {
 public:
  /// Opens or makes it. @throws core::UnavailableError (no permission, disk full, network file system that
  /// cannot lock), core::InputError (not a store, or of a newer version)
  static std::unique_ptr<Store> open(const std::filesystem::path& folder);
  virtual ~Store() = default;

  virtual const std::filesystem::path& folder() const = 0;

  /// Gives the run an id and a folder, and records it. @return the record with both
  virtual RunRecord create_run(RunRecord record) = 0;
  virtual void update_run(const RunRecord& record) = 0;
  /// Takes a run over (resume): sets its runner and state kRunning in one step.
  /// @throws core::UsageError if another live process runs it
  virtual RunRecord claim_run(const std::string& id) = 0;

  /// The run with this id, unique beginning of one, or "latest".
  /// @throws core::UsageError if there is none, or several (they are named)
  virtual RunRecord run(const std::string& id) const = 0;
  /// Newest first. A run whose runner is dead without having finished is given as kCanceled.
  virtual std::vector<RunRecord> runs() const = 0;
  /// Records and folder. @throws core::UsageError if it is running; artifacts that other runs use through
  /// the cache are kept (moved to the oldest of those runs, whose records then name the new place)
  virtual void delete_run(const std::string& id) = 0;

  /// Inserts or replaces, by run and path.
  virtual void put_task(const TaskRecord& record) = 0;
  /// In the order in which they were first put.
  virtual std::vector<TaskRecord> tasks(const std::string& run_id) const = 0;
  /// The task with this path, or whose last part or display name it is.
  /// @throws core::UsageError if there is none, or several
  virtual TaskRecord task(const std::string& run_id, const std::string& path) const = 0;

  /// Inserts or replaces, by run, task, direction and name.
  virtual void put_artifact(const ArtifactRecord& record) = 0;
  virtual std::vector<ArtifactRecord> artifacts(const std::string& run_id) const = 0;

  /// The newest succeeded task with this key whose output artifacts are all still there and unchanged (size
  /// and time of modification, or content where those differ).
  virtual std::optional<TaskRecord> find_cached(const std::string& cache_key) const = 0;
};

/// The store's folder where no option names one: `$CALOPIPE_STORE`, else `.calopipe` in the current folder.
std::filesystem::path default_store_folder();

}  // namespace kfp::local
