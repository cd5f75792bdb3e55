#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace kfp {

/// Types of artifacts, as Kubeflow Pipelines knows them (`system.<name>`).
enum class ArtifactType { kArtifact, kDataset, kModel, kMetrics, kClassificationMetrics, kHtml, kMarkdown };

/// "Dataset", "HTML" …: the schema title without "system.".
std::string to_string(ArtifactType type);

/// An artifact that a component reads; `path` is empty where an optional one was not given.
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

/// Where the value of a parameter lies inside its component.
using ParameterPointer = std::variant<std::string*, std::int64_t*, double*, bool*, std::vector<std::string>*,
                                      std::vector<std::int64_t>*, std::vector<double>*, nlohmann::json*>;

/// What is known of a parameter beyond its type. Its default is the member's initialiser.
struct ParameterSpec {
  std::string help;
  std::string unit;           ///< "GeV", "mm", "deg" …
  std::optional<double> min;  ///< smallest allowed value (of each element for lists)
  std::optional<double> max;  ///< largest allowed value
  bool above_min = false;     ///< the minimum itself is not allowed
  bool below_max = false;     ///< the maximum itself is not allowed
  std::vector<std::string> choices;
  bool required = false;  ///< must be given; there is no default
  /// Says where or how to work, not what comes out (folders, devices): left out of the provenance.
  bool operational = false;
};

/// What is known of an artifact beyond its type.
struct ArtifactSpec {
  ArtifactType type = ArtifactType::kArtifact;
  std::string help;
  /// An input that need not be given; an output that is made only where it is given a place of its own (a
  /// pipeline gives every output one).
  bool optional = false;
  std::string file;  ///< outputs: name inside the folder that `--out` gives ("metrics.json")
};

/// One typed member of a component, as the visitor found it.
struct Field {
  enum class Kind { kInput, kParameter, kOutput, kOutputParameter };

  std::string name;  ///< snake_case; the option is `--name-with-dashes`
  Kind kind = Kind::kParameter;
  ParameterPointer parameter;        ///< kParameter, kOutputParameter
  ParameterSpec parameter_spec;      ///< kParameter, kOutputParameter
  InputArtifact* input = nullptr;    ///< kInput
  OutputArtifact* output = nullptr;  ///< kOutput
  ArtifactSpec artifact_spec;        ///< kInput, kOutput

  bool is_parameter() const { return kind == Kind::kParameter; }
  bool is_bool() const { return std::holds_alternative<bool*>(parameter); }
  bool is_list() const { return parameter.index() >= 4 && parameter.index() <= 6; }

  /// "energy-gev"
  std::string option_name() const;
  /// "string", "integer", "double", "bool", "list of doubles", "struct".
  std::string type_name() const;
  /// KFP's name of the parameter's type: "NUMBER_DOUBLE", "STRING", "LIST" …
  std::string kfp_type() const;
  /// "> 0, at most 180", "one of a, b", empty where anything goes.
  std::string allowed() const;

  nlohmann::json value() const;
  /// Sets a parameter from a JSON value. A whole double is taken for an integer; an integer for a double.
  /// @throws core::UsageError naming the field, the value and what is allowed (type, range, choices, NaN)
  void set(const nlohmann::json& value) const;
  /// Sets a parameter from an option's text: numbers, true|false, lists as `1,2,3` or JSON, structs as JSON.
  /// @throws core::UsageError likewise
  void set_text(const std::string& text) const;
};

/// Closest of `known` to `name`, for "did you mean"; empty where none is close.
std::string nearest(const std::string& name, const std::vector<std::string>& known);

}  // namespace kfp
