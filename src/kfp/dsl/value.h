#pragma once

#include <fmt/format.h>

#include <concepts>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "kfp/dsl/port.h"

namespace kfp::dsl {

namespace graph {
struct Channel;
struct Graph;
struct Group;
struct Comparison;
struct TaskNode;
}  // namespace graph

/// A parameter of the pipeline, an output parameter of a task, or the item of a loop, whose value is known
/// when the pipeline runs. Cheap to copy; belongs to one pipeline. It may be part of longer strings
/// (`fmt::format("n={}", n)`) and JSON (`json{{"n", n}}`), which are filled in at run time.
class Value {
 public:
  /// A field of a loop's item, if the items are objects. @throws core::UsageError for other values
  Value operator[](const std::string& field) const;

  /// The string that represents the value inside a longer string.
  std::string text() const;
  /// Type of the value.
  const ValueType& type() const;

  const std::shared_ptr<graph::Graph>& graph() const { return graph_; }
  const graph::Channel& channel() const { return *channel_; }
  Value(std::shared_ptr<graph::Graph> graph, const graph::Channel* channel)
      : graph_(std::move(graph)), channel_(channel) {}

 private:
  std::shared_ptr<graph::Graph> graph_;
  const graph::Channel* channel_;
};

/// An artifact (or list of artifacts): an input of a pipeline or an output of a task.
class Artifact {
 public:
  /// Type of the artifact: "system.Model".
  const std::string& schema_title() const;

  const std::shared_ptr<graph::Graph>& graph() const { return graph_; }
  const graph::Channel& channel() const { return *channel_; }
  Artifact(std::shared_ptr<graph::Graph> graph, const graph::Channel* channel)
      : graph_(std::move(graph)), channel_(channel) {}

 private:
  std::shared_ptr<graph::Graph> graph_;
  const graph::Channel* channel_;
};

/// In JSON, a value is represented by its text().
void to_json(nlohmann::json& json, const Value& value);

/// One side of a comparison: a value or a constant (string, number, Boolean).
class Operand {
 public:
  template <class T>
  requires(!std::same_as<std::remove_cvref_t<T>, Operand> &&
           (std::same_as<std::remove_cvref_t<T>, Value> || std::is_arithmetic_v<std::remove_cvref_t<T>> ||
            std::convertible_to<T, std::string>))
      Operand(T&& value) {  // NOLINT(google-explicit-constructor):
                            // written as a constant
    if constexpr (std::same_as<std::remove_cvref_t<T>, Value>)
      value_ = std::forward<T>(value);
    else if constexpr (std::is_arithmetic_v<std::remove_cvref_t<T>>)
      value_ = nlohmann::json(value);
    else
      value_ = nlohmann::json(std::string(std::forward<T>(value)));
  }

  const std::variant<nlohmann::json, Value>& value() const { return value_; }

 private:
  std::variant<nlohmann::json, Value> value_;
};

/// A comparison, decided when the pipeline runs: `flip.output() == "heads"`, `loss < 0.1`. Different types
/// are compared as in the SDK: as strings if one is a string, as doubles if one is a double.
struct Condition {
  std::string op;  ///< "==", "!=", "<", "<=", ">", ">="
  Operand left;
  Operand right;
};

inline Condition operator==(const Value& left, Operand right) {
  return {"==", left, std::move(right)};
}
inline Condition operator!=(const Value& left, Operand right) {
  return {"!=", left, std::move(right)};
}
// For two values: without these overloads, C++20 would also try the reversed operands.
inline Condition operator==(const Value& left, const Value& right) {
  return {"==", left, right};
}
inline Condition operator!=(const Value& left, const Value& right) {
  return {"!=", left, right};
}
inline Condition operator<(const Value& left, Operand right) {
  return {"<", left, std::move(right)};
}
inline Condition operator<=(const Value& left, Operand right) {
  return {"<=", left, std::move(right)};
}
inline Condition operator>(const Value& left, Operand right) {
  return {">", left, std::move(right)};
}
inline Condition operator>=(const Value& left, Operand right) {
  return {">=", left, std::move(right)};
}

/// The outputs of all iterations of a loop, as a list, for tasks outside the loop.
Value collected(const Value& output);
Artifact collected(const Artifact& output);

/// The output of the branch of an if_ … else_ that ran; `outputs` has one of each branch, all of the same
/// type.
/// @throws core::UsageError if they are not from the branches of one if_, or there is no else_
Value one_of(const std::vector<Value>& outputs);
Artifact one_of(const std::vector<Artifact>& outputs);

/// Properties of the run, for inputs of type STRING. The backend fills them in only if they are the whole
/// value.
std::string job_name();           ///< name of the run
std::string job_resource_name();  ///< name of the run's Kubernetes resource
std::string job_id();             ///< id of the run
std::string task_name();          ///< name of the task itself
std::string task_id();            ///< id of the task's execution
std::string job_create_time();    ///< RFC 3339, UTC
std::string job_schedule_time();  ///< RFC 3339, UTC
std::string pipeline_root();      ///< the folder of the run's artifacts
/// The folder of the workspace, also as part of a longer string. Needs PipelineOptions::workspace.
std::string workspace_path();

}  // namespace kfp::dsl

/// @cond
template <>
struct fmt::formatter<kfp::dsl::Value> : fmt::formatter<std::string> {
  template <class Context>
  auto format(const kfp::dsl::Value& value, Context& context) const {
    return fmt::formatter<std::string>::format(value.text(), context);
  }
};
/// @endcond
