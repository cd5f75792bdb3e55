#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kfp/compile/argo/expression.h"
#include "kfp/compile/argo/options.h"
#include "kfp/ir/pipeline_spec.h"
#include "kfp/ir/placeholder.h"

// Shared by the files of compile(); no part of the public interface.
namespace kfp::argo {

inline constexpr const char* kOutputsPath = "/kfp/outputs";  ///< an empty folder of each pod
inline constexpr const char* kInputsPath = "/kfp/inputs";    ///< where Argo puts artifacts from S3
inline constexpr const char* kWorkspacePath = "/kfp-workspace";
inline constexpr const char* kPathInput = "kfp-path";  ///< input that tells a template where its artifacts go

/// What of a component's interface a task uses: a component becomes one template for each way.
struct Use {
  std::set<std::string> absent_parameters;  ///< optional ones that are not passed and have no default
  std::set<std::string> absent_artifacts;
  std::set<std::string> plain_artifacts;  ///< those whose value is a location, not a key in the store
  nlohmann::json retry;                   ///< Argo's retryStrategy, or null

  std::string key() const;
};

/// Where a feature is that Argo lacks.
struct Place {
  std::string task;
  [[noreturn]] void refuse(const std::string& feature, const std::string& hint = "") const;
};

/// Names that Argo takes: letters, digits and "-" (in parameters "_" too), unlike names stay unlike.
class Names {
 public:
  enum class Kind { kTask, kParameter };
  explicit Names(Kind kind) : kind_(kind) {}
  /// The name for a key; the same each time.
  const std::string& of(const std::string& key, const std::string& wanted);
  const std::string& of(const std::string& key) { return of(key, key); }

 private:
  Kind kind_;
  std::map<std::string, std::string> names_;
  std::set<std::string> taken_;
};

/// How the inputs and outputs of a component are called in Argo, where all are parameters.
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

/// A value that Kubernetes settings take from around the task: from its DAG, or from what it passes.
struct Setting {
  ir::TaskInputParameter source;
  std::string task_input;  ///< an input that the task passes and its component does not declare
};

/// A template that runs a container.
struct ContainerTemplate {
  nlohmann::json json;
  bool needs_path = false;
  /// Some outputs may come in executor_output.json instead of files of their own.
  bool reads_executor_output = false;
  std::vector<Setting> settings;  ///< the inputs kfp-setting-0, …
};

/// The template of an executor, without its name.
ContainerTemplate container_template(const ir::Pipeline& pipeline, const ir::ComponentSpec& component,
                                     const ArgoOptions& options, const Use& use, const Place& place);

/// The value of an output of a container that may have written it to its executor output, which outranks the
/// file: an expression in a DAG where `task` ran the container.
std::string executor_output_expression(const std::string& task, const std::string& parameter,
                                       const std::string& output_name, ir::ParameterType type);

/// Adds the Kubernetes settings of an executor to its template.
void add_kubernetes_settings(nlohmann::json& result, const ir::KubernetesExecutorConfig& config,
                             std::vector<Setting>& settings, const Place& place);

/// Merges into the template's podSpecPatch, which can hold what other fields cannot: parameters where Argo
/// wants quantities or objects. It stays an object until it is written by dump_raw().
void add_pod_patch(nlohmann::json& result, const nlohmann::json& patch);

/// A value whose text dump_raw() writes without quotes.
std::string raw(const std::string& text);
std::string dump_raw(const nlohmann::json& value);

/// Adds a volume and its mount in the main container; either may be null.
void add_volume(nlohmann::json& result, nlohmann::json volume, nlohmann::json mount);

/// Volumes that the options give to every pod, and the Kerberos ticket.
void add_site_volumes(nlohmann::json& result, const ArgoOptions& options);

/// The constant of a source, where it is one.
const ir::Value* constant_of(const ir::TaskInputParameter& source);

/// What run placeholders mean for a task; texts with Argo's variables.
struct RunPlace {
  std::string task;
  std::string path;  ///< of the task
  std::string root;  ///< where the run's artifacts lie; empty if there is no store

  /// Empty where there is none.
  std::string value(const ir::Placeholder& placeholder) const;
};

/// A text of literal parts and values, as a text with Argo's tags and as an expression; no expression where a
/// value has none.
class TextBuilder {
 public:
  void add(const std::string& part) { literal_ += part; }
  void add(const Reference& value);
  Reference take();

 private:
  void flush(bool before_tag);

  std::string literal_;  // behind the last value
  Reference result_;
  bool has_expression_ = true;
};

/// Where the run's artifacts lie, as pipelines ask for it.
std::string pipeline_root(const ArgoOptions& options);

/// Where artifacts lie: "/kfp/artifacts/" or, in a bucket, the prefix of their keys.
std::string store_root(const ArgoOptions& options);

}  // namespace kfp::argo
