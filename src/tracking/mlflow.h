#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "kfp/client/http.h"

namespace tracking {

/// A run as an MLflow server knows it.
struct MlflowRun {
  std::string id, experiment_id;
  std::string artifact_uri;  ///< place of its artifacts: "mlflow-artifacts:/1/ab…/artifacts"
  bool is_chosen = false;    ///< choose_run() was called
  bool is_empty = false;     ///< it has neither metrics nor parameters
};

/// A number of a run at a step.
struct Metric {
  std::string name;
  double value = 0;
  std::int64_t time_ms = 0;  ///< since 1970
  std::int64_t step = 0;
};

/// MLflow's REST API 2.0 (https://mlflow.org/docs/latest/rest-api.html), as much as records of runs need.
/// Every call may be repeated. All throw kfp::client::Unreachable, kfp::client::Refused and
/// core::Interrupted.
class Mlflow {
 public:
  explicit Mlflow(kfp::client::HttpOptions options) : http_(std::move(options)) {}

  /// Id of an experiment, which is made if it does not exist. @throws core::InputError if it was deleted
  std::string experiment(const std::string& name);
  /// The run with our id that was chosen, if the server has one.
  std::optional<MlflowRun> find_run(const std::string& experiment_id, const std::string& our_id);
  /// The run of a task in the run of a pipeline.
  std::optional<MlflowRun> find_task(const MlflowRun& pipeline, const std::string& task);
  /// The run with our id, which is made if there is none: an answer that is lost does not make a second one.
  /// @param settle_s  time for which to look for a run whose making was not answered: a slow server may still
  /// be at it
  MlflowRun find_or_create_run(const std::string& experiment_id, const std::string& our_id,
                               const std::string& name, std::int64_t time_ms,
                               std::map<std::string, std::string> tags, double settle_s = 0);
  /// Says for all that this is the run with our id, whatever a slow server makes later.
  void choose_run(const std::string& run_id);
  /// Deletes runs with our id that were made in spite of that, and have nothing.
  void delete_empty_copies(const MlflowRun& run, const std::string& our_id);
  /// @param end_time_ms  0 = it has not ended
  void update_run(const std::string& run_id, const std::string& status, std::int64_t end_time_ms);
  /// At most 1000 metrics, 100 parameters and 100 tags, the limits of a call. Metrics that the server has are
  /// not doubled.
  void log_batch(const std::string& run_id, const std::vector<Metric>& metrics,
                 const std::map<std::string, std::string>& params,
                 const std::map<std::string, std::string>& tags);
  /// Whether put_artifact() can write to a place.
  static bool can_write(const std::string& artifact_uri);
  /// Writes a file into the artifacts of a run: through the server if it gives access to them, or into S3.
  /// @throws core::UnavailableError, core::InputError
  void put_artifact(const MlflowRun& run, const std::string& path, const std::filesystem::path& file);
  /// Registers a folder of the run's artifacts as a version of a model, unless it is one.
  void register_model(const MlflowRun& run, const std::string& path, const std::string& name);

 private:
  nlohmann::json post(const std::string& path, nlohmann::json body);
  // A call that makes something anew each time, so that it is not repeated at once.
  nlohmann::json create(const std::string& path, nlohmann::json body);
  nlohmann::json get(const std::string& path, std::vector<std::pair<std::string, std::string>> query);
  std::vector<MlflowRun> search(const std::string& experiment_id, const std::string& filter);
  std::vector<MlflowRun> runs_of(const std::string& experiment_id, const std::string& our_id);

  kfp::client::Http http_;
};

/// Tag of MLflow's runs that has our id.
constexpr const char* kIdTag = "calopipe.run";

}  // namespace tracking
