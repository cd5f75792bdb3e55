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

/// How another task ended, for an input of type TASK_FINAL_STATUS: final_status(task).
struct FinalStatus {
  std::shared_ptr<graph::Graph> graph;
  const graph::TaskNode* task = nullptr;
};
FinalStatus final_status(const Task& task);

/// What an input of a task is given: a constant, a value, an artifact, a final status.
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

/// A constant text or a value, for settings that may be either.
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
  int count = 3;                      ///< how often a failed task is tried again
  std::string backoff = "0s";         ///< before the first: "30s", "5m", "1 hour"
  double factor = 2.0;                ///< by which it grows from one to the next
  std::string max_backoff = "3600s";  ///< the longest
};

/// One use of a component in a pipeline. Cheap to copy; all copies are the same task. Every setter returns
/// the task: `p.task(train).set("data", data).cpu_limit("4").caching(false)`.
class Task {
 public:
  /// Unique in the pipeline: the component's name, with "-2", "-3" … behind it for further ones.
  const std::string& name() const;

  /// Gives an input its value.
  /// @throws core::UsageError naming both ends: no such input (did you mean …), another type, a value of
  /// another pipeline or from a branch or loop that this task is not in
  Task set(const std::string& input, const TaskInput& value) const;

  /// An output parameter; without a name the only one. @throws core::UsageError
  Value output(const std::string& name = "") const;
  /// An output artifact; without a name the only one. @throws core::UsageError
  Artifact artifact(const std::string& name = "") const;

  /// Waits for another task (or exit handler), though nothing of it is used. @throws core::UsageError
  Task after(const Task& other) const;
  Task after(const ExitHandler& other) const;
  /// Runs as soon as all tasks that it waits for have ended, however they did. Inputs that come from them
  /// need a default, and are to be set before. @throws core::UsageError if they have none
  Task ignore_upstream_failure() const;

  /// Whether an earlier result of the same task with the same inputs may be taken. Default: yes.
  Task caching(bool enabled) const;
  /// Takes earlier results by this key, whatever the inputs.
  Task cache_key(const std::string& key) const;
  Task retry(const RetryOptions& options) const;
  /// Name in the user interface.
  Task display_name(const std::string& name) const;

  // What follows is for tasks that run a container. @throws core::UsageError for others, and for quantities
  // that Kubernetes would refuse

  /// Cores: "2", "0.5", "500m".
  Task cpu_limit(const TextOrValue& cores) const;
  Task cpu_request(const TextOrValue& cores) const;
  /// Bytes: "4Gi", "500M".
  Task memory_limit(const TextOrValue& bytes) const;
  Task memory_request(const TextOrValue& bytes) const;
  /// Type ("nvidia.com/gpu") and number of accelerators.
  Task accelerator(const TextOrValue& type, const TextOrValue& count = "1") const;
  /// An environment variable; the value is a constant, as the backend takes it literally.
  Task env(const std::string& name, const std::string& value) const;
  /// Another image than the component's.
  Task image(const TextOrValue& image) const;

  const std::shared_ptr<graph::Graph>& graph() const { return graph_; }
  graph::TaskNode& node() const { return *node_; }
  Task(std::shared_ptr<graph::Graph> graph, graph::TaskNode* node) : graph_(std::move(graph)), node_(node) {}

 private:
  std::shared_ptr<graph::Graph> graph_;
  graph::TaskNode* node_;
};

}  // namespace kfp::dsl
