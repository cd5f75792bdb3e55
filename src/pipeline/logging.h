#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

#include "kfp/component/component.h"
#include "kfp/ir/pipeline_spec.h"
#include "kfp/local/runner.h"
#include "tracking/run.h"

/// What commands record of their runs for MLflow (doc/tracking.md).
namespace pipeline {

/// Where to record.
struct LogOptions {
  std::string to;     ///< `mlflow=URL` (tracking::Destination); empty = nowhere
  std::string model;  ///< name in the registry for the trained model; empty = not registered

  explicit operator bool() const { return !to.empty(); }
};

/// True if the runs of a component are recorded: it writes metrics.
bool is_logged(const kfp::Component& component);

/// True if a component writes a model folder, which can be registered.
bool has_model(const kfp::Component& component);

/// Records the run of a component: parameters, numbers by epoch, results, outputs (except for showers), and a
/// model with its signature. A run in the same scratch or checkpoint folder with the same work continues the
/// earlier one.
class ComponentLog final : public kfp::RunObserver {
 public:
  /// @throws core::UsageError if `to` is wrong
  explicit ComponentLog(LogOptions options);
  ~ComponentLog() override;

  void on_begin(const kfp::Component& component, const nlohmann::json& provenance,
                const std::filesystem::path& scratch) override;
  void on_settings(const nlohmann::json& values) override;
  void on_numbers(std::int64_t step, double time_s, const std::map<std::string, double>& numbers) override;
  void on_end(const kfp::Component& component, const std::exception* error) override;

 private:
  void log_outputs(const kfp::Component& component);
  void log_model(const std::filesystem::path& folder, const std::string& path);

  LogOptions options_;
  tracking::Destination to_;
  std::unique_ptr<tracking::Run> run_;
  std::set<std::string> by_step_;  // names of numbers that every step has
};

/// Records something that consists of runs: a pipeline, or a study.
class GroupLog {
 public:
  struct Begin {
    std::filesystem::path store;  ///< folder of the store of runs
    std::string name, kind;       ///< kind: "pipeline", "study" or "trial"
    std::string id;               ///< continues the run with this id; empty = a new one
    std::string parent;           ///< id of the group that it belongs to; empty = none
    nlohmann::json parameters = nlohmann::json::object();
  };
  /// @throws core::UsageError if the place is wrong
  GroupLog(const LogOptions& options, const Begin& begin);

  const std::string& id() const { return run_.id(); }
  /// Adds to the environment of tasks what makes their runs part of this one.
  void add_to(std::map<std::string, std::string>& environment) const;
  tracking::Run& run() { return run_; }
  /// Ends the run, and sends what its tasks could not send.
  void end(tracking::Run::Status status);

 private:
  LogOptions options_;
  std::filesystem::path queue_;
  tracking::Run run_;
};

/// Records the numbers of the metrics of a local run's tasks as TASK/NAME.
void log_metrics_of(const kfp::local::Store& store, const std::string& run_id, tracking::Run& to);

/// Takes the variables of logging, which a site may set, out of the containers of a pipeline for this
/// machine: they would change the keys of the cache, although not the work. Options that are given win.
void take_log_options(kfp::ir::Pipeline& pipeline, LogOptions& options);
/// Sets these variables in all containers of a pipeline for a cluster. @throws core::UsageError if the place
/// is wrong
void put_log_options(kfp::ir::Pipeline& pipeline, const LogOptions& options);

/// The status of a run that ended with an exception, or without (null).
tracking::Run::Status status_of(const std::exception* error);

}  // namespace pipeline
