#pragma once

#include <fmt/format.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "kfp/component/field.h"
#include "kfp/ir/placeholder.h"
#include "kfp/ir/validate.h"

// Declarations shared by the files of validate(); not part of the public interface.
namespace kfp::ir::checks {

/// Collects problems.
class Findings {
 public:
  void error(std::string place, std::string message, std::string hint = "") {
    add(Problem::Severity::kError, std::move(place), std::move(message), std::move(hint));
  }
  void warning(std::string place, std::string message, std::string hint = "") {
    add(Problem::Severity::kWarning, std::move(place), std::move(message), std::move(hint));
  }
  void note(std::string place, std::string message, std::string hint = "") {
    add(Problem::Severity::kNote, std::move(place), std::move(message), std::move(hint));
  }
  std::vector<Problem> take() { return std::move(problems_); }

 private:
  void add(Problem::Severity severity, std::string place, std::string message, std::string hint) {
    // A component used by several tasks is checked several times.
    if (seen_.insert(place + '\n' + message).second)
      problems_.push_back({severity, std::move(place), std::move(message), std::move(hint)});
  }

  std::vector<Problem> problems_;
  std::set<std::string> seen_;
};

/// "did you mean x?", or the list of known names.
template <class T>
std::string suggestion(const std::string& name, const std::map<std::string, T>& known) {
  std::vector<std::string> names;
  names.reserve(known.size());
  for (const auto& [other, value] : known) names.push_back(other);
  if (names.empty()) return "there are none";
  const std::string close = nearest(name, names);
  if (!close.empty()) return fmt::format("did you mean {}?", close);
  if (names.size() > 12) names.resize(12);
  return fmt::format("there are {}", fmt::join(names, ", "));
}

/// The scope of a task.
struct Scope {
  const PipelineSpec& spec;
  const ComponentSpec& component;  ///< the component that has the DAG
  const Dag& dag;
  std::string place;  ///< place of the DAG
};

/// The value of `map` under `key`, or null.
template <class T>
const T* find(const std::map<std::string, T>& map, const std::string& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

/// The interface of a component, empty if it has none.
const ComponentInputs& inputs_of(const ComponentSpec& component);
const ComponentOutputs& outputs_of(const ComponentSpec& component);
/// The component of a task; null if it has none.
const ComponentSpec* component_of(const PipelineSpec& spec, const Task& task);
/// The executor of a component; null if it has none.
const Executor* executor_of(const PipelineSpec& spec, const ComponentSpec& component);

/// Checks the references of a value's source, for inputs of tasks and Kubernetes settings.
/// @return the type of the value; unspecified if unknown
ParameterType check_source(const TaskInputParameter& source, const Scope& scope, const std::string& place,
                           Findings& findings);

/// The type of an output parameter as other tasks of the DAG see it: a list for a loop, and for a DAG the
/// type from the task inside, whatever is declared. Unspecified if unknown.
ParameterType output_type(const PipelineSpec& spec, const Task& task, const std::string& key);

/// True if a JSON value fits a parameter of this type.
bool fits(const Value& value, ParameterType type);

/// Collects all placeholders in all strings of a JSON value, including names of fields.
void collect_placeholders(const Value& value, std::vector<Placeholder>& found);

/// Checks command, arguments, environment and resources of a component's executor.
void check_executor(const ComponentSpec& component, const Executor& executor, const std::string& place,
                    Findings& findings);

/// Checks placeholders of optional inputs that `task` does not pass, and placeholders in resources.
void check_executor_of_task(const Task& task, const ComponentSpec& component, const Executor& executor,
                            const std::string& place, Findings& findings);

/// Checks the platform settings against the pipeline. `scopes` has the tasks of each executor label.
void check_platform(const Pipeline& pipeline, const std::multimap<std::string, Scope>& scopes,
                    Findings& findings);

}  // namespace kfp::ir::checks
