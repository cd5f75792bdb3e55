#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "core/parameter_field.h"

namespace kfp {

/// Types of artifacts in Kubeflow Pipelines (`system.<name>`).
enum class ArtifactType { kArtifact, kDataset, kModel, kMetrics, kClassificationMetrics, kHtml, kMarkdown };

/// Schema title without "system.": "Dataset", "HTML" …
std::string to_string(ArtifactType type);

/// An artifact that a component reads; `path` is empty if an optional artifact was not given.
struct InputArtifact {
  std::filesystem::path path;

  explicit operator bool() const { return !path.empty(); }
};

/// An artifact that a component writes at `path`; `metadata` goes into the run's record (for Metrics: every
/// key is a number that the Kubeflow UI shows).
struct OutputArtifact {
  std::filesystem::path path;
  nlohmann::json metadata = nlohmann::json::object();

  /// False for an optional output without a path.
  explicit operator bool() const { return !path.empty(); }
};

using core::nearest;
using core::ParameterPointer;
using core::ParameterSpec;

/// Properties of an artifact beyond its type.
struct ArtifactSpec {
  ArtifactType type = ArtifactType::kArtifact;
  std::string help;
  /// For inputs: need not be given. For outputs: made only if its own path is given (a pipeline gives every
  /// output one).
  bool optional = false;
  std::string file;  ///< for outputs: name inside the folder given by `--out` ("metrics.json")
  /// For inputs: finds an artifact by name if no such path exists; throws if there is none. Empty = no such
  /// names.
  std::function<std::filesystem::path(const std::filesystem::path&)> find = {};
};

/// One typed member of a component, as found by the visitor.
struct Field : core::ParameterField {
  enum class Kind { kInput, kParameter, kOutput, kOutputParameter };

  Kind kind = Kind::kParameter;  ///< kParameter and kOutputParameter use the members of core::ParameterField
  InputArtifact* input = nullptr;    ///< set for kInput
  OutputArtifact* output = nullptr;  ///< set for kOutput
  ArtifactSpec artifact_spec;        ///< set for kInput and kOutput

  bool is_parameter() const { return kind == Kind::kParameter; }

  /// Type of the parameter or of the artifact: "Dataset".
  std::string type_name() const;
  /// KFP's name of the parameter's type: "NUMBER_DOUBLE", "STRING", "LIST" …
  std::string kfp_type() const;
};

}  // namespace kfp
