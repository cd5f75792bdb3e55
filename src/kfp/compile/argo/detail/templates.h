#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kfp/compile/argo/detail/expression.h"
#include "kfp/compile/argo/options.h"
#include "kfp/ir/pipeline_spec.h"
#include "kfp/ir/placeholder.h"

// Declarations shared by the files of compile(); not part of the public interface.
namespace kfp::argo {

inline constexpr const char* kOutputsPath = "/kfp/outputs";  ///< path of an empty folder in each pod
inline constexpr const char* kInputsPath = "/kfp/inputs";    ///< path for artifacts that Argo fetches from S3
inline constexpr const char* kWorkspacePath = "/kfp-workspace";
inline constexpr const char* kPathInput =
    "kfp-path";  ///< input that tells a template the path of its artifacts

/// The part of a component's interface that a task uses: a component becomes one template for each such part.
struct Use {
  std::set<std::string> absent_parameters;  ///< optional parameters that are not passed and have no default
  std::set<std::string> absent_artifacts;
  std::set<std::string> plain_artifacts;  ///< artifacts whose value is a location, not a key in the store
  nlohmann::json retry;                   ///< Argo's retryStrategy, or null

  std::string key() const;
};

/// Place of a feature that Argo lacks.
struct Place {
  std::string task;
  [[noreturn]] void refuse(const std::string& feature, const std::string& hint = "") const;
};

/// Names that Argo accepts: letters, digits and "-" (for parameters also "_"). Different names stay
/// different.
class Names {
 public:
  enum class Kind { kTask, kParameter };
  explicit Names(Kind kind) : kind_(kind) {}
  /// The name for a key; the same in every call.
  const std::string& of(const std::string& key, const std::string& wanted);
  const std::string& of(const std::string& key) { return of(key, key); }

 private:
  Kind kind_;
  std::map<std::string, std::string> names_;
  std::set<std::string> taken_;
};

/// Names of a component's inputs and outputs in Argo, where all are parameters.
class Interface {
 public:
  explicit Interface(const ir::ComponentSpec& component);
  const std::string& input_parameter(const std::string& name) { return inputs_.of("p:" + name, name); }
  const std::string& input_artifact(const std::string& name) { return inputs_.of("a:" + name, name); }
  const std::string& output_parameter(const std::string& name) { return outputs_.of("p:" + name, name); }
  const std::string& output_artifact(const std::string& name) { return outputs_.of("a:" + name, name); }

 private:
  Names inputs_{Names::Kind::kParameter};
  Names outputs_{Names::Kind::kParameter};
};

/// A value that Kubernetes settings take from the task's DAG, or from the inputs that it passes.
struct Setting {
  ir::TaskInputParameter source;
  std::string task_input;  ///< an input that the task passes, but its component does not declare
};

/// A template that runs a container.
struct ContainerTemplate {
  nlohmann::json json;
  bool needs_path = false;
  /// True if some outputs may be in executor_output.json instead of their own files.
  bool reads_executor_output = false;
  std::vector<Setting> settings;  ///< sources of the inputs kfp-setting-0, …
};

/// The template of an executor, without its name.
ContainerTemplate container_template(const ir::Pipeline& pipeline, const ir::ComponentSpec& component,
                                     const ArgoOptions& options, const Use& use, const Place& place);

/// An expression for the value of a container's output, in a DAG where `task` ran the container. A value in
/// the executor output takes precedence over the file.
std::string executor_output_expression(const std::string& task, const std::string& parameter,
                                       const std::string& output_name, ir::ParameterType type);

/// Adds the Kubernetes settings of an executor to its template.
void add_kubernetes_settings(nlohmann::json& result, const ir::KubernetesExecutorConfig& config,
                             std::vector<Setting>& settings, const Place& place);

/// Merges `patch` into the template's podSpecPatch, which supports parameters where other fields need
/// quantities or objects. It stays an object until it is written by dump_raw().
void add_pod_patch(nlohmann::json& result, const nlohmann::json& patch);

/// Marks a string that dump_raw() writes without quotes.
std::string raw(const std::string& text);
std::string dump_raw(const nlohmann::json& value);

/// Adds a volume and its mount in the main container; either may be null.
void add_volume(nlohmann::json& result, nlohmann::json volume, nlohmann::json mount);

/// Adds the volumes that the options define for every pod, and the Kerberos ticket.
void add_site_volumes(nlohmann::json& result, const ArgoOptions& options);

/// The constant of a source; null if it has none.
const ir::Value* constant_of(const ir::TaskInputParameter& source);

/// Values of run placeholders for a task; strings with Argo's variables.
struct RunPlace {
  std::string task;
  std::string path;  ///< path of the task
  std::string root;  ///< location of the run's artifacts; empty if there is no store

  /// Value of a placeholder; empty if it has none.
  std::string value(const ir::Placeholder& placeholder) const;
};

/// Builds a string from literals and values, both with Argo's tags and as an expression; there is no
/// expression if one of the values has none.
class TextBuilder {
 public:
  void add(const std::string& part) { literal_ += part; }
  void add(const Reference& value);
  Reference take();

 private:
  void flush(bool before_tag);

  std::string literal_;  // literal after the last value
  Reference result_;
  bool has_expression_ = true;
};

/// Location of the run's artifacts, for placeholders of the pipeline.
std::string pipeline_root(const ArgoOptions& options);

/// Root of the store: "/kfp/artifacts/" or, in a bucket, the prefix of the keys.
std::string store_root(const ArgoOptions& options);

}  // namespace kfp::argo
