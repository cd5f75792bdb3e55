#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// Kubeflow Pipelines' intermediate representation (IR), schema 2.1.0, as C++ structs.
///
/// The structs follow api/v2alpha1/pipeline_spec.proto and
/// kubernetes_platform/proto/kubernetes_executor_config.proto of kubeflow/pipelines, field by field, in
/// proto3 JSON names. Each declares its fields once, in `describe(v)`: `v("jsonName", member)`, and
/// `v.alternative("group", "jsonName", member)` for fields of which at most one may be set. Reader, writer
/// and schema derive from that. Scalars and sub-messages are std::optional, so that values written explicitly
/// (`isOptional: false`) are written again; an empty list or mapping is the same as an absent one, as in
/// proto3.
namespace kfp::ir {

/// Any JSON value (google.protobuf.Value). Integers keep 64 bits here; the backend keeps doubles.
using Value = nlohmann::json;

/// A JSON object (google.protobuf.Struct).
struct JsonObject {
  nlohmann::json value = nlohmann::json::object();
};

/// A time span in the notation of proto3 JSON: seconds with at most nine decimals and an "s" ("3600s",
/// "0.5s").
struct Duration {
  std::string text;
  double seconds() const;
};

/// Types of parameters (ParameterType.ParameterTypeEnum), in the order of their numbers.
enum class ParameterType {
  kUnspecified,
  kNumberDouble,
  kNumberInteger,
  kString,
  kBoolean,
  kList,
  kStruct,
  kTaskFinalStatus,
  kTaskConfig
};

/// Types of parameters in schema 2.0 (PrimitiveType.PrimitiveTypeEnum); the backend reads ParameterType.
enum class PrimitiveType { kUnspecified, kInt, kDouble, kString };

/// Conditions for the start of a task (PipelineTaskSpec.TriggerPolicy.TriggerStrategy).
enum class TriggerStrategy { kUnspecified, kAllUpstreamTasksSucceeded, kAllUpstreamTasksCompleted };

/// Settings of a task that can be passed to its component as TaskConfig (TaskConfigPassthroughTypeEnum).
enum class TaskConfigPassthroughType {
  kNone,
  kResources,
  kEnv,
  kKubernetesAffinity,
  kKubernetesTolerations,
  kKubernetesNodeSelector,
  kKubernetesVolumes
};

/// Names of an enumeration's values, in order and in the IR's spelling ("NUMBER_DOUBLE").
std::span<const char* const> enum_names(ParameterType);
std::span<const char* const> enum_names(PrimitiveType);
std::span<const char* const> enum_names(TriggerStrategy);
std::span<const char* const> enum_names(TaskConfigPassthroughType);

/// Name of an enumeration's value: "NUMBER_DOUBLE" …
template <class E>
requires std::is_enum_v<E> std::string to_string(E value) {
  return enum_names(value)[static_cast<std::size_t>(value)];
}

/// A value with a type (ml_pipelines.Value), deprecated in favour of Value.
struct LegacyValue {
  std::optional<std::int64_t> int_value;
  std::optional<double> double_value;
  std::optional<std::string> string_value;

  template <class V>
  void describe(V& v) {
    v.alternative("value", "intValue", int_value);
    v.alternative("value", "doubleValue", double_value);
    v.alternative("value", "stringValue", string_value);
  }
};

/// A constant, or the name of an input parameter that gives the value at run time.
struct ValueOrRuntimeParameter {
  std::optional<LegacyValue> constant_value;  ///< deprecated: constant
  std::optional<std::string> runtime_parameter;
  std::optional<Value> constant;

  template <class V>
  void describe(V& v) {
    v.alternative("value", "constantValue", constant_value);
    v.alternative("value", "runtimeParameter", runtime_parameter);
    v.alternative("value", "constant", constant);
  }
};

/// The type of an artifact: `system.Dataset` with a version, or the user's own schema.
struct ArtifactTypeSchema {
  std::optional<std::string> schema_title;
  std::optional<std::string> schema_uri;  ///< deprecated
  std::optional<std::string> instance_schema;
  std::optional<std::string> schema_version;

  template <class V>
  void describe(V& v) {
    v.alternative("kind", "schemaTitle", schema_title);
    v.alternative("kind", "schemaUri", schema_uri);
    v.alternative("kind", "instanceSchema", instance_schema);
    v("schemaVersion", schema_version);
  }
};

}  // namespace kfp::ir
