#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kfp/dsl/container_component.h"
#include "kfp/dsl/task.h"
#include "kfp/ir/platform.h"

namespace kfp::dsl {

/// A volume that all tasks of a run share, at workspace_path().
struct WorkspaceOptions {
  std::string size;  ///< "100Gi"
  nlohmann::json pvc_spec_patch =
      nlohmann::json::object();  ///< fields of the claim: storageClassName, accessModes …
};

struct PipelineOptions {
  std::string description = "";
  std::string display_name = "";
  std::string pipeline_root = "";  ///< address for artifacts; a run can override it
  std::optional<WorkspaceOptions> workspace = std::nullopt;
  std::optional<int> ttl_seconds = std::nullopt;  ///< time for which the workflow is kept after its end
  std::optional<int> ttl_seconds_success = std::nullopt;  ///< … after success
  std::optional<int> ttl_seconds_failure = std::nullopt;  ///< … after failure
  std::optional<int> timeout_seconds = std::nullopt;      ///< limit for the whole run
};

struct OutputOptions {
  std::optional<Port> port = std::nullopt;  ///< declared type, if it differs from the type of the value
  std::string description = "";
};

struct ImporterOptions {
  TextOrValue uri;                                     ///< "s3://…", or a value
  std::string type = "system.Artifact";                ///< type of the artifact
  std::string version = "0.0.1";                       ///< version of the type
  bool reimport = false;                               ///< import again if it was imported before
  nlohmann::json metadata = nlohmann::json::object();  ///< may contain values
  bool download_to_workspace = false;
};

struct LoopOptions {
  int parallelism = 0;    ///< largest number of simultaneous iterations; 0 = no limit
  std::string name = "";  ///< name in the user interface
};

/// The branches of an if_, to which elif_ and else_ add. Conditions are tested in order.
class Branches {
 public:
  /// @throws core::UsageError after else_, or if other groups were added in between
  Branches elif_(const Condition& condition, const std::function<void()>& body,
                 const std::string& name = "") const;
  void else_(const std::function<void()>& body, const std::string& name = "") const;

  Branches(std::shared_ptr<graph::Graph> graph, graph::Group* last) : graph_(std::move(graph)), last_(last) {}

 private:
  std::shared_ptr<graph::Graph> graph_;
  graph::Group* last_;  ///< the branch added last
};

/// A group of tasks after which an exit task runs, even if they fail.
class ExitHandler {
 public:
  ExitHandler(std::shared_ptr<graph::Graph> graph, graph::Group* group)
      : graph_(std::move(graph)), group_(group) {}
  const std::shared_ptr<graph::Graph>& graph() const { return graph_; }
  graph::Group& group() const { return *group_; }

 private:
  std::shared_ptr<graph::Graph> graph_;
  graph::Group* group_;
};

/// A pipeline: its inputs, tasks and outputs. Tasks added inside the body of if_, for_each or exit_handler
/// belong to it.
/// @code
/// Pipeline p("training", {.description = "…"});
/// Value epochs = p.parameter("epochs", ParameterType::kNumberInteger, {.default_value = 20});
/// Task prepare = p.task(preprocess).set("showers", p.artifact_input("showers", "system.Dataset"));
/// Task train = p.task(trainer).set("prepared", prepare.artifact("prepared")).set("epochs", epochs);
/// p.output("model", train.artifact("model"));
/// core::write_file("training.yaml", ir::to_yaml(compile(p)));
/// @endcode
class Pipeline {
 public:
  /// @throws core::UsageError if the name does not consist of lower case letters, digits and dashes (at most
  ///         128)
  explicit Pipeline(const std::string& name, const PipelineOptions& options = {});

  const std::string& name() const;

  /// Declares a parameter. @throws core::UsageError for a repeated name, a default of another type
  Value parameter(const std::string& name, ValueType type = ParameterType::kString,
                  ParameterOptions options = {});
  /// Declares an input artifact. @throws core::UsageError
  Artifact artifact_input(const std::string& name, const std::string& type = "system.Artifact",
                          ArtifactOptions options = {});

  /// Adds a task that runs a component. @throws core::UsageError if the component has mistakes
  Task task(const ContainerComponent& component);
  /// Adds a task that runs another pipeline, in its state when this one is compiled.
  Task task(const Pipeline& pipeline);
  /// Adds a task that runs a compiled pipeline or component.
  Task task(const ir::Pipeline& compiled);
  /// Adds a task that makes an artifact (its output "artifact") of existing data.
  /// @throws core::UsageError inside a condition, which importers ignore
  Task importer(const ImporterOptions& options);

  /// Adds tasks that run only if the condition holds.
  Branches if_(const Condition& condition, const std::function<void()>& body, const std::string& name = "");
  /// Runs the tasks once for each item of a constant list: strings, numbers, or objects (`item["a"]`).
  /// @throws core::UsageError for an empty list, items of different types
  void for_each(const nlohmann::json& items, const std::function<void(Value item)>& body,
                const LoopOptions& options = {});
  /// Runs the tasks once for each item of a list known at run time.
  void for_each(const Value& items, const std::function<void(Value item)>& body,
                const LoopOptions& options = {});
  /// Runs `exit_task` when the tasks have ended, even if they failed; only at the top of a pipeline. The exit
  /// task may use nothing of other tasks except their final status (input of type TASK_FINAL_STATUS, which is
  /// set automatically).
  /// @throws core::UsageError
  ExitHandler exit_handler(const Task& exit_task, const std::function<void()>& body,
                           const std::string& name = "");

  /// Declares an output. @throws core::UsageError for a repeated name, a value from inside a branch or loop
  void output(const std::string& name, const Value& value, const OutputOptions& options = {});
  void output(const std::string& name, const Artifact& artifact, const OutputOptions& options = {});

  const std::shared_ptr<graph::Graph>& graph() const { return graph_; }

 private:
  std::shared_ptr<graph::Graph> graph_;
};

}  // namespace kfp::dsl
