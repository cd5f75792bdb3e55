#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kfp/local/store.h"

namespace kfp::local {

/// A number recorded by a task, from the metadata of its output artifacts of type system.Metrics.
struct Metric {
  std::string task;  ///< path of the task
  std::string artifact;
  std::string name;
  nlohmann::json value;  ///< a number
};

/// All records of one run.
struct RunReport {
  RunRecord run;
  std::vector<TaskRecord> tasks;
  std::vector<ArtifactRecord> artifacts;
  std::vector<Metric> metrics;
};

/// Reads the report of a run. Tasks that a dead runner left unfinished are reported as kCanceled, as is their
/// run.
/// @throws core::UsageError if there is no such run
RunReport read_report(const Store& store, const std::string& id);

/// The state for people: of a remote run, in the server's words.
std::string state_text(const RunRecord& record);
/// What a reader must know about the state of a remote run: of when it is, unless it was just seen or is
/// final, and why it could not be refreshed. Empty for other runs.
std::string state_note(const RunRecord& record, double now_s);

/// All fields by name. `duration_s` is null if the run or task has not begun; `remote` is null for runs on
/// this machine.
nlohmann::json to_json(const RunRecord& record, double now_s);
nlohmann::json to_json(const TaskRecord& record, double now_s);
nlohmann::json to_json(const ArtifactRecord& record);
nlohmann::json to_json(const Metric& metric);
/// The run's fields, and `tasks`, `artifacts`, `metrics`.
nlohmann::json to_json(const RunReport& report, double now_s);

/// Layout of text.
struct TextStyle {
  int width = 0;     ///< columns of the terminal; 0 = no limit
  double now_s = 0;  ///< current time in seconds since 1970, for the duration of unfinished runs
};

/// Selection of runs to list.
struct RunFilter {
  std::string pipeline;       ///< name of the pipeline or display name of the run; empty = any
  std::vector<State> states;  ///< empty = any
  int limit = 0;              ///< 0 = all
};
std::vector<RunRecord> filtered(std::vector<RunRecord> runs, const RunFilter& filter);

/// The table of `runs list`; with the places of runs if one is remote.
std::string list_text(const std::vector<RunRecord>& runs, const TextStyle& style);

/// Run, parameters, tasks, metrics, artifacts.
std::string show_text(const RunReport& report, const TextStyle& style);

/// All details of one task.
std::string show_task_text(const RunReport& report, const TaskRecord& task, const TextStyle& style);
nlohmann::json task_json(const RunReport& report, const TaskRecord& task, double now_s);

/// The artifact with this name ("report", "validate/report"), or, if `name` is empty, the run's HTML output.
/// @throws core::UsageError if there is none, or several (they are listed)
ArtifactRecord find_artifact(const RunReport& report, const std::string& name);

/// Selection of runs to delete if no ids are given; unset fields do not restrict it.
struct DeleteFilter {
  double older_than_days = -1;  ///< minimum age; negative = any
  int keep = -1;                ///< number of newest runs to keep; negative = none
};
/// @param runs newest first
/// @return the selected runs, without those that are running
std::vector<RunRecord> to_delete(const std::vector<RunRecord>& runs, const DeleteFilter& filter,
                                 double now_s);

/// Seconds from the beginning to the end, or to now; negative if it has not begun.
double duration_s(const RunRecord& record, double now_s);
double duration_s(const TaskRecord& record, double now_s);

}  // namespace kfp::local
