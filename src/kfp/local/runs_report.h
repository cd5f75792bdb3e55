#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kfp/local/store.h"

namespace kfp::local {

/// A number that a task recorded: from the metadata of its output artifacts of type system.Metrics.
struct Metric {
  std::string task;  ///< path
  std::string artifact;
  std::string name;
  nlohmann::json value;  ///< a number
};

/// Everything about one run.
struct RunReport {
  RunRecord run;
  std::vector<TaskRecord> tasks;
  std::vector<ArtifactRecord> artifacts;
  std::vector<Metric> metrics;
};

/// Reads it. Tasks that a dead runner left unfinished are given as kCanceled, as their run is.
/// @throws core::UsageError if there is no such run
RunReport read_report(const Store& store, const std::string& id);

/// Every field by its name. `duration_s` is null if the run or task has not begun.
nlohmann::json to_json(const RunRecord& record, double now_s);
nlohmann::json to_json(const TaskRecord& record, double now_s);
nlohmann::json to_json(const ArtifactRecord& record);
nlohmann::json to_json(const Metric& metric);
/// The run's fields, and `tasks`, `artifacts`, `metrics`.
nlohmann::json to_json(const RunReport& report, double now_s);

/// How text is laid out.
struct TextStyle {
  int width = 0;     ///< columns of the terminal; 0 = no limit
  double now_s = 0;  ///< the end of what has not finished yet, in seconds since 1970
};

/// Which runs are listed.
struct RunFilter {
  std::string pipeline;       ///< name of the pipeline or display name of the run; empty = any
  std::vector<State> states;  ///< empty = any
  int limit = 0;              ///< 0 = all
};
std::vector<RunRecord> filtered(std::vector<RunRecord> runs, const RunFilter& filter);

/// The table of `runs list`.
std::string list_text(const std::vector<RunRecord>& runs, const TextStyle& style);

/// Run, parameters, tasks, metrics, artifacts.
std::string show_text(const RunReport& report, const TextStyle& style);

/// One task: all that is known about it.
std::string show_task_text(const RunReport& report, const TaskRecord& task, const TextStyle& style);
nlohmann::json task_json(const RunReport& report, const TaskRecord& task, double now_s);

/// The artifact to open: the one with this name ("report", "validate/report"), or, where none is named, the
/// run's HTML output.
/// @throws core::UsageError if there is none, or several (they are named)
ArtifactRecord find_artifact(const RunReport& report, const std::string& name);

/// Which runs to delete where no ids are given; what is not set does not restrict.
struct DeleteFilter {
  double older_than_days = -1;  ///< begun longer ago; negative = any age
  int keep = -1;                ///< as many of the newest are kept; negative = none
};
/// @param runs newest first. Running ones are never among the result.
std::vector<RunRecord> to_delete(const std::vector<RunRecord>& runs, const DeleteFilter& filter,
                                 double now_s);

/// Seconds from the beginning to the end, or to now; negative where it has not begun.
double duration_s(const RunRecord& record, double now_s);
double duration_s(const TaskRecord& record, double now_s);

}  // namespace kfp::local
