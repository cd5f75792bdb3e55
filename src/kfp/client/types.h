#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace kfp::client {

/// State of a run or of a task, named as in the API with a k added: PENDING …
enum class RunState {
  kUnspecified,  ///< none yet, or unknown to this client
  kPending,
  kRunning,
  kSucceeded,
  kSkipped,
  kFailed,
  kCanceling,
  kCanceled,
  kPaused
};
std::string to_string(RunState state);
/// kUnspecified for unknown strings.
RunState parse_run_state(const std::string& text);
/// True if nothing more happens by itself. A run that was terminated ends as FAILED or CANCELED.
bool is_final(RunState state);

/// Tells whether an object is archived.
enum class StorageState { kUnspecified, kAvailable, kArchived };
std::string to_string(StorageState state);

/// An error on the server (google.rpc.Status).
struct ErrorStatus {
  std::int64_t code = 0;
  std::string message;
};

/// Properties of the server, reported by itself.
struct Health {
  std::string tag_name;    ///< version; not reported by every server
  std::string commit_sha;  ///< not reported by every server
  bool multi_user = false;
  std::string pipeline_store;  ///< "database" or "kubernetes"
};

/// Times are seconds since 1970; 0 if the server gives none.
struct Pipeline {
  std::string pipeline_id;
  std::string name;  ///< unique in its namespace
  std::string display_name;
  std::string description;
  std::string namespace_name;
  double created_s = 0;
  std::optional<ErrorStatus> error;
};

struct PipelineVersion {
  std::string pipeline_id;
  std::string pipeline_version_id;
  std::string name;  ///< unique in its pipeline
  std::string display_name;
  std::string description;
  double created_s = 0;
  nlohmann::json pipeline_spec;  ///< null if the server leaves it out
  std::optional<ErrorStatus> error;
};

struct Experiment {
  std::string experiment_id;
  std::string display_name;
  std::string description;
  std::string namespace_name;
  double created_s = 0;
  double last_run_created_s = 0;
  StorageState storage_state = StorageState::kUnspecified;
};

struct PipelineVersionReference {
  std::string pipeline_id;
  std::string pipeline_version_id;  ///< empty in a new run = the newest
};

struct RuntimeConfig {
  nlohmann::json parameters = nlohmann::json::object();  ///< by name
  std::string pipeline_root;
};

/// A task of a run in the cluster's workflow: containers, their drivers, and DAGs.
struct TaskDetail {
  std::string task_id;
  std::string display_name;
  std::string parent_task_id;
  std::string pod_name;
  RunState state = RunState::kUnspecified;
  double created_s = 0, started_s = 0, finished_s = 0;
  std::optional<ErrorStatus> error;
};

struct RunDetails {
  std::vector<TaskDetail> task_details;
};

/// A run. A new run has display_name and either pipeline_version_reference or pipeline_spec.
struct Run {
  std::string run_id;
  std::string display_name;
  std::string description;
  std::string experiment_id;
  std::optional<PipelineVersionReference> pipeline_version_reference;
  /// The compiled pipeline: the spec itself, or {"pipeline_spec": …, "platform_spec": …}; null = none.
  nlohmann::json pipeline_spec;
  RuntimeConfig runtime_config;
  std::string service_account;
  RunState state = RunState::kUnspecified;
  StorageState storage_state = StorageState::kUnspecified;
  double created_s = 0, scheduled_s = 0, finished_s = 0;
  std::optional<ErrorStatus> error;
  std::optional<RunDetails> run_details;
  std::string recurring_run_id;  ///< id of the recurring run that started it
};

/// A schedule by a cron expression of six fields (seconds first).
struct CronSchedule {
  std::string cron;
  double start_s = 0, end_s = 0;  ///< 0 = no limit
};

struct PeriodicSchedule {
  std::int64_t interval_s = 0;
  double start_s = 0, end_s = 0;
};

struct Trigger {
  std::optional<CronSchedule> cron_schedule;
  std::optional<PeriodicSchedule> periodic_schedule;
};

/// Tells whether a recurring run starts runs. A new one sets `mode`; answers have `status`.
enum class RecurringState { kUnspecified, kEnabled, kDisabled };
std::string to_string(RecurringState state);

struct RecurringRun {
  std::string recurring_run_id;
  std::string display_name;
  std::string description;
  std::string experiment_id;
  std::string namespace_name;
  std::optional<PipelineVersionReference> pipeline_version_reference;
  nlohmann::json pipeline_spec;  ///< as in Run
  RuntimeConfig runtime_config;
  std::string service_account;
  std::int64_t max_concurrency = 1;  ///< largest number of simultaneous runs, 1 to 10
  Trigger trigger;
  bool no_catchup = false;  ///< do not make up for missed times
  RecurringState mode = RecurringState::kUnspecified;
  RecurringState status = RecurringState::kUnspecified;
  double created_s = 0, updated_s = 0;
  std::optional<ErrorStatus> error;
};

/// A part of a list.
template <class T>
struct Page {
  std::vector<T> items;
  std::string next_page_token;  ///< empty on the last page
  std::int64_t total_size = 0;
};

}  // namespace kfp::client
