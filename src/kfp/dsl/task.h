#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "kfp/dsl/value.h"
#include "kfp/ir/platform.h"

namespace kfp::dsl {

class Task;
class ExitHandler;

/// The final status of another task, for an input of type TASK_FINAL_STATUS: final_status(task).
struct FinalStatus {
  std::shared_ptr<graph::Graph> graph;
  const graph::TaskNode* task = nullptr;
};
FinalStatus final_status(const Task& task);

/// The value of a task's input: a constant, a value, an artifact or a final status.
class TaskInput {
 public:
  TaskInput(Value value) : value_(std::move(value)) {}           // NOLINT(google-explicit-constructor)
  TaskInput(Artifact artifact) : value_(std::move(artifact)) {}  // NOLINT(google-explicit-constructor)
  TaskInput(FinalStatus status) : value_(std::move(status)) {}   // NOLINT(google-explicit-constructor)
  template <class T>
  requires(!std::same_as<std::remove_cvref_t<T>, TaskInput> && std::constructible_from<nlohmann::json, T>)
      TaskInput(T&& constant)  // NOLINT(google-explicit-constructor)
      : value_(nlohmann::json(std::forward<T>(constant))) {}

  const std::variant<nlohmann::json, Value, Artifact, FinalStatus>& value() const { return value_; }

 private:
  std::variant<nlohmann::json, Value, Artifact, FinalStatus> value_;
};

/// A constant string or a value, for settings that may be either.
class TextOrValue {
 public:
  template <class T>
  requires std::convertible_to<T, std::string> TextOrValue(T&& text)  // NOLINT(google-explicit-constructor)
      : text_(std::forward<T>(text)) {}
  TextOrValue(const Value& value)
      : text_(value.text()), value_(value) {}  // NOLINT(google-explicit-constructor)

  const std::string& text() const { return text_; }
  const std::optional<Value>& value() const { return value_; }

 private:
  std::string text_;
  std::optional<Value> value_;
};

struct RetryOptions {
  int count = 3;                      ///< number of retries of a failed task
  std::string backoff = "0s";         ///< wait before the first retry: "30s", "5m", "1 hour"
  double factor = 2.0;                ///< factor by which the wait grows with each retry
  std::string max_backoff = "3600s";  ///< longest wait
};

/// One use of a component in a pipeline. Copies are cheap and refer to the same task. Every setter returns
/// the task: `p.task(train).set("data", data).cpu_limit("4").caching(false)`.
class Task {
 public:
  /// Name, unique in the pipeline: the component's name, followed by "-2", "-3" … for further tasks.
  const std::string& name() const;

  /// Sets the value of an input.
  /// @throws core::UsageError naming both ends: no such input (did you mean …), another type, a value of
  ///         another pipeline or from a branch or loop that does not contain this task
  Task set(const std::string& input, const TaskInput& value) const;

  /// An output parameter; without a name the only one. @throws core::UsageError
  Value output(const std::string& name = "") const;
  /// An output artifact; without a name the only one. @throws core::UsageError
  Artifact artifact(const std::string& name = "") const;

  /// Waits for another task (or exit handler) without using its outputs. @throws core::UsageError
  Task after(const Task& other) const;
  Task after(const ExitHandler& other) const;
  /// Runs as soon as all tasks that it waits for have ended, even if they failed. Inputs from these tasks
  /// need a default, and must be set before this call. @throws core::UsageError if they have none
  Task ignore_upstream_failure() const;

  /// Allows the use of an earlier result of the same task with the same inputs. Default: true.
  Task caching(bool enabled) const;
  /// Uses earlier results with this key, for any inputs.
  Task cache_key(const std::string& key) const;
  Task retry(const RetryOptions& options) const;
  /// Name in the user interface.
  Task display_name(const std::string& name) const;

  // The following setters are for tasks that run a container. @throws core::UsageError for other tasks, and
  // for quantities that Kubernetes would reject

  /// Number of cores: "2", "0.5", "500m".
  Task cpu_limit(const TextOrValue& cores) const;
  Task cpu_request(const TextOrValue& cores) const;
  /// Number of bytes: "4Gi", "500M".
  Task memory_limit(const TextOrValue& bytes) const;
  Task memory_request(const TextOrValue& bytes) const;
  /// Type ("nvidia.com/gpu") and number of accelerators.
  Task accelerator(const TextOrValue& type, const TextOrValue& count = "1") const;
  /// Sets an environment variable. The value is a constant, because the backend takes it literally.
  Task env(const std::string& name, const std::string& value) const;
  /// Replaces the component's image.
  Task image(const TextOrValue& image) const;

  const std::shared_ptr<graph::Graph>& graph() const { return graph_; }
  graph::TaskNode& node() const { return *node_; }
  Task(std::shared_ptr<graph::Graph> graph, graph::TaskNode* node) : graph_(std::move(graph)), node_(node) {}

 private:
  std::shared_ptr<graph::Graph> graph_;
  graph::TaskNode* node_;
};

}  // namespace kfp::dsl
