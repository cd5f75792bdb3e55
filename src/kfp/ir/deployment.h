#pragma once

#include "kfp/ir/types.h"

namespace kfp::ir {

/// A command with arguments.
struct Exec {
  std::vector<std::string> command;
  std::vector<std::string> args;

  template <class V>
  void describe(V& v) {
    v("command", command);
    v("args", args);
  }
};

/// Hooks in the life cycle of a container.
struct Lifecycle {
  std::optional<Exec> pre_cache_check;

  template <class V>
  void describe(V& v) {
    v("preCacheCheck", pre_cache_check);
  }
};

/// Accelerators of a container. `resource_*` may have placeholders; `type` and `count` are deprecated, and
/// written in addition for older backends.
struct Accelerator {
  std::optional<std::string> type;
  std::optional<std::int64_t> count;
  std::optional<std::string> resource_type;
  std::optional<std::string> resource_count;

  template <class V>
  void describe(V& v) {
    v("type", type);
    v("count", count);
    v("resourceType", resource_type);
    v("resourceCount", resource_count);
  }
};

/// Limits and requests of a container. CPU in cores and memory in GB as numbers (deprecated), and as
/// Kubernetes quantities ("500m", "4Gi") in `resource_*`.
struct Resources {
  std::optional<double> cpu_limit;
  std::optional<double> memory_limit;
  std::optional<double> cpu_request;
  std::optional<double> memory_request;
  std::optional<std::string> resource_cpu_limit;
  std::optional<std::string> resource_memory_limit;
  std::optional<std::string> resource_cpu_request;
  std::optional<std::string> resource_memory_request;
  std::optional<Accelerator> accelerator;

  template <class V>
  void describe(V& v) {
    v("cpuLimit", cpu_limit);
    v("memoryLimit", memory_limit);
    v("cpuRequest", cpu_request);
    v("memoryRequest", memory_request);
    v("resourceCpuLimit", resource_cpu_limit);
    v("resourceMemoryLimit", resource_memory_limit);
    v("resourceCpuRequest", resource_cpu_request);
    v("resourceMemoryRequest", resource_memory_request);
    v("accelerator", accelerator);
  }
};

/// An environment variable; the value is a literal.
struct EnvVar {
  std::optional<std::string> name;
  std::optional<std::string> value;

  template <class V>
  void describe(V& v) {
    v("name", name);
    v("value", value);
  }
};

/// A program in an image. Command and arguments may have placeholders (`{{$.inputs.parameters['x']}}`).
struct Container {
  std::optional<std::string> image;
  std::vector<std::string> command;
  std::vector<std::string> args;
  std::optional<Lifecycle> lifecycle;
  std::optional<Resources> resources;
  std::vector<EnvVar> env;

  template <class V>
  void describe(V& v) {
    v("image", image);
    v("command", command);
    v("args", args);
    v("lifecycle", lifecycle);
    v("resources", resources);
    v("env", env);
  }
};

/// Makes an artifact of existing data.
struct Importer {
  std::optional<ValueOrRuntimeParameter> artifact_uri;
  std::optional<ArtifactTypeSchema> type_schema;
  std::map<std::string, ValueOrRuntimeParameter> properties;         ///< deprecated: metadata
  std::map<std::string, ValueOrRuntimeParameter> custom_properties;  ///< deprecated: metadata
  std::optional<bool> reimport;  ///< import again if it was imported before
  std::optional<JsonObject> metadata;
  std::optional<bool> download_to_workspace;

  template <class V>
  void describe(V& v) {
    v("artifactUri", artifact_uri);
    v("typeSchema", type_schema);
    v("properties", properties);
    v("customProperties", custom_properties);
    v("reimport", reimport);
    v("metadata", metadata);
    v("downloadToWorkspace", download_to_workspace);
  }
};

/// A query for artifacts in the metadata store.
struct ArtifactQuery {
  std::optional<std::string> filter;
  std::optional<std::int32_t> limit;

  template <class V>
  void describe(V& v) {
    v("filter", filter);
    v("limit", limit);
  }
};

/// Finds artifacts in the metadata store.
struct Resolver {
  std::map<std::string, ArtifactQuery> output_artifact_queries;

  template <class V>
  void describe(V& v) {
    v("outputArtifactQueries", output_artifact_queries);
  }
};

/// A job of AI Platform, deprecated.
struct CustomJob {
  std::optional<JsonObject> custom_job;

  template <class V>
  void describe(V& v) {
    v("customJob", custom_job);
  }
};

/// The implementation of a component.
struct Executor {
  std::optional<Container> container;
  std::optional<Importer> importer;
  std::optional<Resolver> resolver;
  std::optional<CustomJob> custom_job;

  template <class V>
  void describe(V& v) {
    v.alternative("spec", "container", container);
    v.alternative("spec", "importer", importer);
    v.alternative("spec", "resolver", resolver);
    v.alternative("spec", "customJob", custom_job);
  }
};

/// The executors of a pipeline, by label (PipelineDeploymentConfig).
struct DeploymentConfig {
  std::map<std::string, Executor> executors;

  template <class V>
  void describe(V& v) {
    v("executors", executors);
  }
};

}  // namespace kfp::ir
