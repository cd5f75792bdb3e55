#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "kfp/ir/types.h"

/// Kubeflow pipelines written in C++: components, tasks, values passed between tasks, control flow. The
/// resulting names and IR are those of the Python SDK (kfp 2.17) for the same pipeline.
namespace kfp::dsl {

using ir::ParameterType;

/// The type of a parameter. Lists and structs may have an element type, so that the items of a loop over them
/// have a type.
struct ValueType {
  ParameterType type = ParameterType::kUnspecified;
  std::vector<ValueType>
      of;  ///< type of a list's items or a struct's values: one element, or none if unknown

  ValueType() = default;
  ValueType(ParameterType t) : type(t) {}  // NOLINT(google-explicit-constructor): written as a type

  /// The type of the list's items or struct's values; unspecified if unknown.
  ValueType item() const { return of.empty() ? ValueType{} : of.front(); }
};

/// A list with items of a type.
ValueType list_of(ValueType item);
/// A struct with values of a type.
ValueType struct_of(ValueType value);

/// One input or output of a component or pipeline; created by parameter() and artifact().
struct Port {
  bool is_artifact = false;
  ValueType type;                               ///< for parameters
  std::string schema_title;                     ///< for artifacts: "system.Dataset"
  std::string schema_version;                   ///< for artifacts
  bool is_list = false;                         ///< for artifacts: true for a list of artifacts
  std::optional<nlohmann::json> default_value;  ///< for input parameters
  bool optional = false;                        ///< for inputs; implied by a default
  std::string description;

  /// "NUMBER_INTEGER", "system.Model", "list of system.Model".
  std::string type_name() const;
};

/// Inputs or outputs by name.
using Ports = std::map<std::string, Port>;

struct ParameterOptions {
  std::optional<nlohmann::json> default_value = std::nullopt;  ///< makes an input optional
  bool optional = false;                                       ///< may be omitted, without a default
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
/// "system.Markdown") or belongs to another namespace ("google.VertexModel"). @throws core::UsageError
Port artifact(std::string schema_title = "system.Artifact", ArtifactOptions options = {});

/// An input of an exit task that receives the final status of another task (as JSON: state, error, names).
Port task_final_status();

/// The reason why `given` cannot be passed to `wanted`; empty if it can.
std::string mismatch(const Port& given, const Port& wanted);

/// A constant as the IR represents it for a parameter of a type: numbers as doubles.
/// @param what description for errors: "input "x" of task train"
/// @throws core::UsageError if the type differs, a number is not finite or an integer is above 2^53
nlohmann::json constant_for(const ValueType& type, const nlohmann::json& value, const std::string& what);

/// Converts a name to lower case, digits and dashes, as Kubernetes requires: "My Op_2" becomes "my-op-2".
std::string kubernetes_name(const std::string& name);

/// `name`, or the first of "<name>-2", "<name>-3" … that is not in `taken`.
template <class Taken>
std::string unique_name(const std::string& name, const Taken& taken) {
  std::string unique = name;
  for (int i = 2; taken.contains(unique); ++i) unique = name + "-" + std::to_string(i);
  return unique;
}

/// JSON in the format of Python's json.dumps (ASCII, ", " and ": "), which the IR has inside strings.
std::string python_json(const nlohmann::json& value);

}  // namespace kfp::dsl
