#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "core/parameter_field.h"

namespace kfp {

/// Types of artifacts, as Kubeflow Pipelines knows them (`system.<name>`).
enum class ArtifactType { kArtifact, kDataset, kModel, kMetrics, kClassificationMetrics, kHtml, kMarkdown };

/// "Dataset", "HTML" …: the schema title without "system.".
std::string to_string(ArtifactType type);

/// An artifact that a component reads; `path` is empty if an optional one was not given.
struct InputArtifact {
  std::filesystem::path path;

  explicit operator bool() const { return !path.empty(); }
};

/// An artifact that a component writes at `path`; `metadata` goes into the run's record (for Metrics: every
/// key is a number that the Kubeflow UI shows).
struct OutputArtifact {
  std::filesystem::path path;
  nlohmann::json metadata = nlohmann::json::object();

  /// False for an optional output that was given no place.
  explicit operator bool() const { return !path.empty(); }
};

using core::nearest;
using core::ParameterPointer;
using core::ParameterSpec;

/// What is known of an artifact beyond its type.
struct ArtifactSpec {
  ArtifactType type = ArtifactType::kArtifact;
  std::string help;
  /// An input that need not be given; an output that is made only where it is given a place of its own (a
  /// pipeline gives every output one).
  bool optional = false;
  std::string file;  ///< outputs: name inside the folder that `--out` gives ("metrics.json")
  /// Inputs: finds one whose path does not exist, by its name; throws if there is none. Empty = there are
  /// none.
  std::function<std::filesystem::path(const std::filesystem::path&)> find = {};
};

/// One typed member of a component, as the visitor found it.
struct Field : core::ParameterField {
  enum class Kind { kInput, kParameter, kOutput, kOutputParameter };

  Kind kind = Kind::kParameter;  ///< kParameter, kOutputParameter: the members of core::ParameterField count
  InputArtifact* input = nullptr;    ///< kInput
  OutputArtifact* output = nullptr;  ///< kOutput
  ArtifactSpec artifact_spec;        ///< kInput, kOutput

  bool is_parameter() const { return kind == Kind::kParameter; }

  /// That of the parameter, or the artifact's: "Dataset".
  std::string type_name() const;
  /// KFP's name of the parameter's type: "NUMBER_DOUBLE", "STRING", "LIST" …
  std::string kfp_type() const;
};

}  // namespace kfp
