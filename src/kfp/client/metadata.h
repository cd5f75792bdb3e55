#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kfp/client/http.h"

namespace kfp::client {

/// An output of a task, as Kubeflow records it.
struct Artifact {
  std::int64_t id = 0;
  std::string name;  ///< name of the output in the component
  std::string type;  ///< "system.Metrics"; empty if the server does not say
  std::string uri;   ///< "minio://mlpipeline/v2/artifacts/…"; the file or folder in the store
  nlohmann::json metadata = nlohmann::json::object();  ///< what the component says of it: metrics by name, …
};

/// One try of a task: a container, or the reuse of an earlier result.
struct Execution {
  enum class State { kUnknown, kNew, kRunning, kComplete, kFailed, kCached, kCanceled };
  std::int64_t id = 0;
  std::string task;      ///< name of the task in the pipeline
  std::string pod_name;  ///< empty before its container starts, and for a cached result
  State state = State::kUnknown;
  std::vector<Artifact> outputs;  ///< by name
};

/// Reads what Kubeflow Pipelines records of a run beside its API: the containers and their outputs. The
/// record is ML Metadata; its service is reached by gRPC-Web at `/ml_metadata.MetadataStoreService` of the
/// host of Kubeflow's pages, as those pages do it. Sources: google/ml-metadata,
/// proto/metadata_store{,_service}.proto; kubeflow/pipelines, backend/src/v2/metadata/client.go; grpc/grpc,
/// doc/PROTOCOL-WEB.md.
class Metadata {
 public:
  /// @param options those of Client; only scheme and host of the server are used
  explicit Metadata(HttpOptions options);

  /// Executions of a run's containers, in the order of their start; none if the run has not started. Those of
  /// the iterations of a loop have the same task.
  /// @throws the exceptions of Http::call(); core::InputError if the answer is not one of ML Metadata
  std::vector<Execution> executions(const std::string& run_id);
  /// Of these, the last one of each task that has outputs, or that is the only one.
  std::vector<Execution> latest_executions(const std::string& run_id);

 private:
  std::string ask(const char* method, const std::string& message);

  Http http_;
};

}  // namespace kfp::client
