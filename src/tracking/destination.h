#pragma once

#include <filesystem>
#include <string>

#include "kfp/client/http.h"

/// Records of runs for the place where a team looks: an MLflow server (doc/tracking.md).
namespace tracking {

/// Environment variable that `--log` stands for: every command that logs understands it, in pods as well.
constexpr const char* kLogVariable = "CALOPIPE_LOG";
/// Id of the run that a process's own run belongs to.
constexpr const char* kParentVariable = "CALOPIPE_LOG_PARENT";
/// Name in MLflow's registry under which trained models are registered.
constexpr const char* kModelVariable = "CALOPIPE_LOG_MODEL";
/// Folder in which records wait.
constexpr const char* kQueueVariable = "CALOPIPE_LOG_QUEUE";

/// An MLflow server.
struct Destination {
  std::string server;      ///< address up to /api: "https://mlflow.example.org"
  std::string experiment;  ///< name of the experiment

  /// Reads `mlflow=URL`, or `mlflow`, which takes the address from MLFLOW_TRACKING_URI. The experiment is
  /// that of MLFLOW_EXPERIMENT_NAME, else "calopipe".
  /// @throws core::UsageError
  static Destination parse(const std::string& text);
  /// "mlflow=URL".
  std::string text() const { return "mlflow=" + server; }
};

/// How a server is called: limits of time, and the login that MLflow's own client takes from the environment
/// (MLFLOW_TRACKING_USERNAME and _PASSWORD, or _TOKEN; _INSECURE_TLS, _SERVER_CERT_PATH;
/// MLFLOW_HTTP_REQUEST_TIMEOUT).
/// @param attempts  for calls that may be repeated
kfp::client::HttpOptions http_options(const std::string& server, int attempts);

/// Folder in which the records of a store's runs wait: $CALOPIPE_LOG_QUEUE, else `tracking` in the store.
std::filesystem::path queue_folder(const std::filesystem::path& store);

}  // namespace tracking
