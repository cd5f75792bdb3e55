#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "kfp/ir/types.h"

/// Kubeflow pipelines written in C++: components, tasks, values that tasks pass on, control flow. The names
/// and the IR that come out are those of the Python SDK (kfp 2.17) for the same pipeline.
namespace kfp::dsl {

using ir::ParameterType;

/// The type of a parameter. Lists and structs may say what they hold, so that the items of a loop over them
/// have a type.
struct ValueType {
  ParameterType type = ParameterType::kUnspecified;
  std::vector<ValueType> of;  ///< of a list's items or a struct's values: one, or none if unknown

  ValueType() = default;
  ValueType(ParameterType t) : type(t) {}  // NOLINT(google-explicit-constructor): written as a type

  /// What the list or struct holds; unspecified where unknown.
  ValueType item() const { return of.empty() ? ValueType{} : of.front(); }
};

/// A list with items of a type.
ValueType list_of(ValueType item);
/// A struct with values of a type.
ValueType struct_of(ValueType value);

/// One input or output of a component or pipeline; made by parameter() and artifact().
struct Port {
  bool is_artifact = false;
  ValueType type;                               ///< parameters
  std::string schema_title;                     ///< artifacts: "system.Dataset"
  std::string schema_version;                   ///< artifacts
  bool is_list = false;                         ///< artifacts: a list of them
  std::optional<nlohmann::json> default_value;  ///< parameters that are inputs
  bool optional = false;                        ///< inputs; implied by a default
  std::string description;

  /// "NUMBER_INTEGER", "system.Model", "list of system.Model".
  std::string type_name() const;
};

/// Inputs or outputs by name.
using Ports = std::map<std::string, Port>;

struct ParameterOptions {
  std::optional<nlohmann::json> default_value = std::nullopt;  ///< makes an input optional
  bool optional = false;                                       ///< may be left out, without a default
  std::string description = "";
};

struct ArtifactOptions {
  bool optional = false;
  bool list = false;  ///< a list of artifacts: collected outputs, outputs of pipelines
  std::string description = "";
  std::string version = "0.0.1";
};

/// A parameter. @throws core::UsageError if the default is of another type
Port parameter(ValueType type = ParameterType::kString, ParameterOptions options = {});
/// An artifact; `schema_title` is one of KFP's ("system.Artifact", "system.Model", "system.Dataset",
/// "system.Metrics", "system.ClassificationMetrics", "system.SlicedClassificationMetrics", "system.HTML",
/// "system.Markdown") or of another namespace ("google.VertexModel"). @throws core::UsageError
Port artifact(std::string schema_title = "system.Artifact", ArtifactOptions options = {});

/// How the final status of another task reaches an exit task (as JSON: state, error, names).
Port task_final_status();

/// Why `given` cannot be passed to `wanted`; empty if it can.
std::string mismatch(const Port& given, const Port& wanted);

/// A constant as the IR holds it for a parameter of a type: numbers as doubles.
/// @param what named in errors: "input "x" of task train"
/// @throws core::UsageError if the type differs, a number is not finite or an integer beyond 2^53
nlohmann::json constant_for(const ValueType& type, const nlohmann::json& value, const std::string& what);

/// Lower case, digits and dashes, as Kubernetes wants names: "My Op_2" is "my-op-2".
std::string kubernetes_name(const std::string& name);

/// `name`, or with "-2", "-3" … the first that `taken` does not hold.
template <class Taken>
std::string unique_name(const std::string& name, const Taken& taken) {
  std::string unique = name;
  for (int i = 2; taken.contains(unique); ++i) unique = name + "-" + std::to_string(i);
  return unique;
}

/// JSON as Python's json.dumps writes it (ASCII, ", " and ": "), which the IR holds inside texts.
std::string python_json(const nlohmann::json& value);

}  // namespace kfp::dsl
