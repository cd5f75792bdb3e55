#include "kfp/ir/validate.h"

#include <algorithm>
#include <cmath>
#include <queue>

#include "core/error.h"
#include "kfp/ir/condition.h"
#include "kfp/ir/detail/checks.h"
#include "kfp/ir/document.h"

namespace kfp::ir {
namespace checks {

using nlohmann::json;

const ComponentInputs& inputs_of(const ComponentSpec& component) {
  static const ComponentInputs kNone;
  return component.input_definitions ? *component.input_definitions : kNone;
}

const ComponentOutputs& outputs_of(const ComponentSpec& component) {
  static const ComponentOutputs kNone;
  return component.output_definitions ? *component.output_definitions : kNone;
}

const ComponentSpec* component_of(const PipelineSpec& spec, const Task& task) {
  return task.component_ref ? find(spec.components, task.component_ref->name.value_or("")) : nullptr;
}

const Executor* executor_of(const PipelineSpec& spec, const ComponentSpec& component) {
  if (!component.executor_label || !spec.deployment_spec) return nullptr;
  return find(spec.deployment_spec->executors, *component.executor_label);
}

bool fits(const Value& value, ParameterType type) {
  switch (type) {
    case ParameterType::kNumberDouble:
      return value.is_number();
    case ParameterType::kNumberInteger:
      return value.is_number_integer() ||
             (value.is_number_float() && value.get<double>() == std::floor(value.get<double>()));
    case ParameterType::kString:
      return value.is_string();
    case ParameterType::kBoolean:
      return value.is_boolean();
    case ParameterType::kList:
      return value.is_array();
    case ParameterType::kStruct:
      return value.is_object();
    case ParameterType::kUnspecified:
    case ParameterType::kTaskFinalStatus:
    case ParameterType::kTaskConfig:
      return true;
  }
  return true;
}

namespace {

constexpr double kLargestInteger = 9007199254740991;  // 2^53 - 1: the backend keeps numbers as doubles

void check_numbers(const Value& value, const std::string& place, Findings& findings) {
  if (value.is_number() && std::abs(value.get<double>()) > kLargestInteger &&
      (value.is_number_integer() || value.get<double>() < 1e19))
    findings.warning(place, fmt::format("{} is above 2^53 and loses digits in the backend", value.dump()),
                     "pass it as a STRING");
  if (value.is_structured())
    for (const json& element : value) check_numbers(element, place, findings);
}

std::string shortened(const Value& value) {
  const std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

// Name of a type for messages.
std::string type_text(ParameterType type) {
  return type == ParameterType::kUnspecified ? "no type" : to_string(type);
}

ParameterType type_of(const std::optional<ParameterType>& type, const std::optional<PrimitiveType>& old) {
  if (type) return *type;
  switch (old.value_or(PrimitiveType::kUnspecified)) {
    case PrimitiveType::kInt:
      return ParameterType::kNumberInteger;
    case PrimitiveType::kDouble:
      return ParameterType::kNumberDouble;
    case PrimitiveType::kString:
      return ParameterType::kString;
    case PrimitiveType::kUnspecified:
      break;
  }
  return ParameterType::kUnspecified;
}

void check_types(ParameterType given, ParameterType wanted, const std::string& place, const std::string& from,
                 Findings& findings) {
  if (given == ParameterType::kUnspecified || wanted == ParameterType::kUnspecified || given == wanted)
    return;
  // Readers see a final status as a structure.
  if (given == ParameterType::kTaskFinalStatus && wanted == ParameterType::kStruct) return;
  const std::string message =
      fmt::format("takes {}, but {} gives {}", type_text(wanted), from, type_text(given));
  if (given == ParameterType::kNumberInteger && wanted == ParameterType::kNumberDouble)
    return findings.note(place, message, "an integer is accepted as a double");
  findings.error(place, message);
}

std::string artifact_title(const std::optional<ArtifactTypeSchema>& type) {
  if (!type) return "";
  if (type->schema_title) return *type->schema_title;
  return type->instance_schema.value_or(type->schema_uri.value_or(""));
}

void check_artifact_types(const std::string& given, const std::string& wanted, const std::string& place,
                          const std::string& from, Findings& findings) {
  constexpr const char* kAny = "system.Artifact";
  if (given.empty() || wanted.empty() || given == wanted || given == kAny || wanted == kAny) return;
  findings.error(place, fmt::format("takes {}, but {} gives {}", wanted, from, given));
}

bool loops(const Task& task) {
  return task.parameter_iterator || task.artifact_iterator;
}

// The type of an output parameter as other tasks of the DAG see it: for a loop a list with one element per
// iteration, for a DAG the type from the task inside. The SDK declares outputs of DAGs in and around loops
// sometimes as the list, sometimes as its element, and the backend does not check, so that only the
// declarations of containers count.
ParameterType traced_type(const PipelineSpec& spec, const Task& task, const std::string& key, int& budget) {
  if (loops(task)) return ParameterType::kList;
  const ComponentSpec* component = component_of(spec, task);
  if (component == nullptr || --budget < 0) return ParameterType::kUnspecified;
  if (component->dag && component->dag->outputs) {
    const DagOutputParameter* source = find(component->dag->outputs->parameters, key);
    std::vector<ParameterSelector> selectors;
    if (source != nullptr && source->value_from_parameter) selectors = {*source->value_from_parameter};
    if (source != nullptr && source->value_from_oneof)
      selectors = source->value_from_oneof->parameter_selectors;
    std::set<ParameterType> types;
    for (const ParameterSelector& selector : selectors) {
      const Task* producer = find(component->dag->tasks, selector.producer_subtask.value_or(""));
      types.insert(producer == nullptr
                       ? ParameterType::kUnspecified
                       : traced_type(spec, *producer, selector.output_parameter_key.value_or(""), budget));
    }
    return types.size() == 1 ? *types.begin() : ParameterType::kUnspecified;
  }
  const OutputParameterSpec* output = find(outputs_of(*component).parameters, key);
  return output == nullptr ? ParameterType::kUnspecified : type_of(output->parameter_type, output->type);
}

const Task* check_producer(const std::optional<std::string>& name, const Scope& scope,
                           const std::string& place, const char* field, Findings& findings) {
  const Task* producer = find(scope.dag.tasks, name.value_or(""));
  if (producer == nullptr)
    findings.error(place,
                   fmt::format("{} names the task \"{}\", which {} does not have", field, name.value_or(""),
                               scope.place),
                   suggestion(name.value_or(""), scope.dag.tasks));
  return producer;
}

// Finds the output parameter of a task; returns null after reporting a problem.
const OutputParameterSpec* check_output_parameter(const Task& producer, const std::string& task,
                                                  const std::string& key, const Scope& scope,
                                                  const std::string& place, Findings& findings) {
  const ComponentSpec* component = component_of(scope.spec, producer);
  if (component == nullptr) return nullptr;  // reported at the task
  const auto& outputs = outputs_of(*component).parameters;
  const OutputParameterSpec* output = find(outputs, key);
  if (output == nullptr)
    findings.error(place, fmt::format("the task {} has no output parameter \"{}\"", task, key),
                   suggestion(key, outputs));
  return output;
}

const OutputArtifactSpec* check_output_artifact(const Task& producer, const std::string& task,
                                                const std::string& key, const Scope& scope,
                                                const std::string& place, Findings& findings) {
  const ComponentSpec* component = component_of(scope.spec, producer);
  if (component == nullptr) return nullptr;
  const auto& outputs = outputs_of(*component).artifacts;
  const OutputArtifactSpec* output = find(outputs, key);
  if (output == nullptr)
    findings.error(place, fmt::format("the task {} has no output artifact \"{}\"", task, key),
                   suggestion(key, outputs));
  return output;
}

std::string source_text(const TaskInputParameter& source) {
  if (source.task_output_parameter)
    return fmt::format("the output {} of the task {}",
                       source.task_output_parameter->output_parameter_key.value_or(""),
                       source.task_output_parameter->producer_task.value_or(""));
  if (source.component_input_parameter) return "the input " + *source.component_input_parameter;
  return "the final status";
}

}  // namespace

ParameterType output_type(const PipelineSpec& spec, const Task& task, const std::string& key) {
  int budget = 1000;  // DAGs may contain each other endlessly
  return traced_type(spec, task, key, budget);
}

ParameterType check_source(const TaskInputParameter& source, const Scope& scope, const std::string& place,
                           Findings& findings) {
  ParameterType type = ParameterType::kUnspecified;
  if (source.task_output_parameter) {
    const std::string here = place + ".taskOutputParameter";
    const TaskOutputParameter& output = *source.task_output_parameter;
    if (const Task* producer = check_producer(output.producer_task, scope, here, "producerTask", findings)) {
      const OutputParameterSpec* spec = check_output_parameter(
          *producer, *output.producer_task, output.output_parameter_key.value_or(""), scope, here, findings);
      if (spec != nullptr)
        type = output_type(scope.spec, *producer, output.output_parameter_key.value_or(""));
    }
  } else if (source.component_input_parameter) {
    const auto& inputs = inputs_of(scope.component).parameters;
    const InputParameterSpec* spec = find(inputs, *source.component_input_parameter);
    if (spec == nullptr)
      findings.error(
          place + ".componentInputParameter",
          fmt::format("names the input parameter \"{}\", which the component of this DAG does not have",
                      *source.component_input_parameter),
          suggestion(*source.component_input_parameter, inputs));
    else
      type = type_of(spec->parameter_type, spec->type);
  } else if (source.task_final_status) {
    check_producer(source.task_final_status->producer_task, scope, place + ".taskFinalStatus", "producerTask",
                   findings);
    type = ParameterType::kTaskFinalStatus;
  } else if (source.runtime_value) {
    const ValueOrRuntimeParameter& value = *source.runtime_value;
    if (value.runtime_parameter && !inputs_of(scope.component).parameters.contains(*value.runtime_parameter))
      findings.error(
          place + ".runtimeValue.runtimeParameter",
          fmt::format("names the input parameter \"{}\", which the component of this DAG does not have",
                      *value.runtime_parameter),
          suggestion(*value.runtime_parameter, inputs_of(scope.component).parameters));
    if (!value.runtime_parameter && !value.constant && !value.constant_value)
      findings.error(place + ".runtimeValue", "has no value", "set constant");
  } else {
    findings.error(place, "has no value",
                   "set taskOutputParameter, componentInputParameter or runtimeValue.constant");
  }
  // The part that a selector takes may have any type.
  return source.parameter_expression_selector ? ParameterType::kUnspecified : type;
}

namespace {

// Checks one pipeline, starting at the root, so that each DAG is checked where it is used.
class Validator {
 public:
  explicit Validator(const Pipeline& pipeline) : pipeline_(pipeline), spec_(pipeline.spec) {}

  std::vector<Problem> run() {
    for (const ReadingNote& note : pipeline_.notes) {
      const std::string hint = "quote it, or write the intended value";
      if (note.harmless)
        findings_.note(note.place, note.message, hint);
      else
        findings_.warning(note.place, note.message, hint);
    }
    check_top();
    for (const auto& [name, component] : spec_.components) check_component(component, "components." + name);
    if (spec_.root) check_component(*spec_.root, "root");
    check_recursion();
    check_unused();
    check_all_channels();
    check_platform(pipeline_, scopes_of_executors_, findings_);
    check_workspace();
    return findings_.take();
  }

 private:
  void check_top() {
    const PipelineInfo info = spec_.pipeline_info.value_or(PipelineInfo{});
    const std::string name = info.name.value_or("");
    if (name.empty()) findings_.error("pipelineInfo.name", "the pipeline has no name");
    if (spec_.components.contains("comp-" + name))
      findings_.note(
          "pipelineInfo.name",
          fmt::format("a component has the same name, {}, and the Python SDK misreads such pipelines", name),
          "rename one of them");
    if (!spec_.schema_version)
      findings_.error("schemaVersion", "is missing", "the server accepts 2.1.0");
    else if (*spec_.schema_version != "2.1.0")
      findings_.error("schemaVersion", fmt::format("is {}", *spec_.schema_version),
                      "the server accepts 2.1.0");
    if (!spec_.root)
      findings_.error("root", "is missing");
    else if (!spec_.root->dag)
      findings_.error("root", "has no DAG");
  }

  void check_component(const ComponentSpec& component, const std::string& place) {
    for (const auto& [name, input] : inputs_of(component).parameters)
      check_input(input, place + ".inputDefinitions.parameters." + name, place == "root");
    for (const auto& [name, output] : outputs_of(component).parameters)
      if (type_of(output.parameter_type, output.type) == ParameterType::kUnspecified)
        findings_.error(place + ".outputDefinitions.parameters." + name, "has no parameterType");
    if (component.dag) {
      check_dag(component, place);
    } else if (!component.executor_label) {
      if (&component != (spec_.root ? &*spec_.root : nullptr))
        findings_.error(place, "has neither dag nor executorLabel");
    } else if (const Executor* executor = executor_of(spec_, component)) {
      check_executor(component, *executor, "deploymentSpec.executors." + *component.executor_label,
                     findings_);
      used_executors_.insert(*component.executor_label);
    } else {
      const auto& executors = spec_.deployment_spec.value_or(DeploymentConfig{}).executors;
      findings_.error(place + ".executorLabel",
                      fmt::format("names the executor \"{}\", which deploymentSpec does not have",
                                  *component.executor_label),
                      suggestion(*component.executor_label, executors));
    }
  }

  void check_input(const InputParameterSpec& input, const std::string& place, bool of_pipeline) {
    const ParameterType type = type_of(input.parameter_type, input.type);
    if (type == ParameterType::kUnspecified) findings_.error(place, "has no parameterType");
    if (!input.default_value) return;
    const Value& value = *input.default_value;
    check_numbers(value, place + ".defaultValue", findings_);
    if (!value.is_null() && !fits(value, type)) {
      const std::string message = fmt::format("{} is not of type {}", shortened(value), to_string(type));
      // The launcher puts a component's default into the command without checking its type.
      if (of_pipeline)
        findings_.error(place + ".defaultValue", message);
      else
        findings_.warning(place + ".defaultValue", message, "the backend passes it unchanged");
    }
    check_literals(value, input, place + ".defaultValue");
  }

  void check_literals(const Value& value, const InputParameterSpec& input, const std::string& place) {
    if (input.literals.empty() || value.is_null()) return;
    if (std::find(input.literals.begin(), input.literals.end(), value) != input.literals.end()) return;
    findings_.error(place, fmt::format("{} is not among the allowed values", shortened(value)),
                    shortened(Value(input.literals)));
  }

  void check_dag(const ComponentSpec& component, const std::string& place) {
    const Scope scope{spec_, component, *component.dag, place + ".dag"};
    if (scope.dag.tasks.empty()) findings_.error(scope.place, "has no tasks");
    for (const auto& [name, task] : scope.dag.tasks) check_task(name, task, scope);
    check_cycles(scope);
    check_dag_outputs(scope, place);
  }

  void check_task(const std::string& name, const Task& task, const Scope& scope) {
    const std::string place = scope.place + ".tasks." + name;
    const std::vector<std::string> data_edges = data_upstream(task);
    for (const std::string& other : task.dependent_tasks)
      if (!scope.dag.tasks.contains(other))
        findings_.error(place + ".dependentTasks",
                        fmt::format("names the task \"{}\", which {} does not have", other, scope.place),
                        suggestion(other, scope.dag.tasks));
    for (const std::string& other : data_edges)
      if (scope.dag.tasks.contains(other) &&
          std::find(task.dependent_tasks.begin(), task.dependent_tasks.end(), other) ==
              task.dependent_tasks.end())
        findings_.warning(place + ".dependentTasks",
                          fmt::format("must have {}, whose output the task takes", other), "add it");
    const std::string reference = task.component_ref ? task.component_ref->name.value_or("") : "";
    const ComponentSpec* component = component_of(spec_, task);
    if (component == nullptr) {
      findings_.error(place + ".componentRef.name",
                      reference.empty() ? std::string("the task does not name a component")
                                        : fmt::format("there is no component \"{}\"", reference),
                      suggestion(reference, spec_.components));
      return;
    }
    used_components_.insert(reference);
    check_inputs(task, *component, scope, place);
    check_iterator(task, *component, place);
    check_policies(task, *component, place);
    if (const Executor* executor = executor_of(spec_, *component)) {
      check_executor_of_task(task, *component, *executor, place, findings_);
      scopes_of_executors_.emplace(*component->executor_label, scope);
    }
  }

  void check_inputs(const Task& task, const ComponentSpec& component, const Scope& scope,
                    const std::string& place) {
    const TaskInputs inputs = task.inputs.value_or(TaskInputs{});
    const ComponentInputs& wanted = inputs_of(component);
    for (const auto& [name, source] : inputs.parameters) {
      const std::string here = place + ".inputs.parameters." + name;
      const ParameterType given = check_source(source, scope, here, findings_);
      const InputParameterSpec* spec = find(wanted.parameters, name);
      if (spec == nullptr) {
        // Under this prefix, and sometimes as a copy, the SDK passes values that only resources or Kubernetes
        // settings use; a value for the image is passed as base_image.
        if (!name.starts_with("pipelinechannel--") && name != "base_image" && !passes_channel(source))
          findings_.error(here, "the component has no such input", suggestion(name, wanted.parameters));
        check_constant(source, nullptr, task, here);
        continue;
      }
      check_types(given, type_of(spec->parameter_type, spec->type), here, source_text(source), findings_);
      check_constant(source, spec, task, here);
      if (source.task_final_status && !completes(task))
        findings_.warning(here,
                          "the status of a failed task reaches only tasks that run in spite of the failure",
                          "set triggerPolicy.strategy to ALL_UPSTREAM_TASKS_COMPLETED");
    }
    for (const auto& [name, source] : inputs.artifacts) check_artifact(name, source, wanted, scope, place);
    for (const auto& [name, spec] : wanted.parameters) {
      const bool looped = task.parameter_iterator && task.parameter_iterator->item_input == name;
      // The backend fills in these inputs.
      const bool given = spec.parameter_type == ParameterType::kTaskConfig;
      if (!looped && !given && !spec.is_optional.value_or(false) && !spec.default_value &&
          !inputs.parameters.contains(name))
        findings_.error(place + ".inputs.parameters",
                        fmt::format("the required input \"{}\" is missing", name));
    }
    for (const auto& [name, spec] : wanted.artifacts) {
      const bool looped = task.artifact_iterator && task.artifact_iterator->item_input == name;
      if (!looped && !spec.is_optional.value_or(false) && !inputs.artifacts.contains(name))
        findings_.error(place + ".inputs.artifacts",
                        fmt::format("the required input \"{}\" is missing", name));
    }
  }

  void check_constant(const TaskInputParameter& source, const InputParameterSpec* spec, const Task& task,
                      const std::string& input_place) {
    if (!source.runtime_value || !source.runtime_value->constant) return;
    const Value& value = *source.runtime_value->constant;
    const std::string place = input_place + ".runtimeValue.constant";
    check_numbers(value, place, findings_);
    if (check_placeholders(value, task, place) || spec == nullptr || source.parameter_expression_selector ||
        value.is_null())
      return;
    const ParameterType type = type_of(spec->parameter_type, spec->type);
    if (!fits(value, type))
      findings_.error(place, fmt::format("{} is not of type {}", shortened(value), to_string(type)));
    check_literals(value, *spec, place);
  }

  // Checks placeholders in a constant of a task, at any depth.
  // @return true if the whole constant is a string with placeholders
  bool check_placeholders(const Value& value, const Task& task, const std::string& place) {
    const TaskInputs inputs = task.inputs.value_or(TaskInputs{});
    const ComponentSpec* component = component_of(spec_, task);
    std::vector<Placeholder> found;
    collect_placeholders(value, found);
    for (const Placeholder& placeholder : found) {
      using Kind = Placeholder::Kind;
      const bool whole = value.is_string() && placeholder.text == value.get_ref<const std::string&>();
      switch (placeholder.kind) {
        case Kind::kRun:
          if (!whole)
            findings_.warning(
                place, fmt::format("{} is replaced only if it is the whole constant", placeholder.text),
                "pass it alone, and join the strings in the component");
          break;
        case Kind::kInputParameter:
          check_named_input(placeholder, task, inputs, component, place);
          break;
        case Kind::kInputArtifact:
          if (!inputs.artifacts.contains(placeholder.name))
            findings_.error(place,
                            fmt::format("{} names an input that the task does not pass", placeholder.text),
                            suggestion(placeholder.name, inputs.artifacts));
          break;
        case Kind::kWorkspacePath:
          workspace_used_.push_back(place);
          if (!value.is_string())
            findings_.warning(place,
                              fmt::format("{} is not replaced inside lists and structs", placeholder.text),
                              "pass it as a separate input");
          break;
        case Kind::kUnknown:
          findings_.warning(place, fmt::format("{} is not a known placeholder", placeholder.text));
          break;
        default:
          findings_.warning(
              place,
              fmt::format("{} belongs in a command: a local run rejects it in a constant", placeholder.text));
      }
    }
    return value.is_string() && !found.empty();
  }

  void check_named_input(const Placeholder& placeholder, const Task& task, const TaskInputs& inputs,
                         const ComponentSpec* component, const std::string& place) {
    const bool item = task.parameter_iterator && task.parameter_iterator->item_input == placeholder.name;
    const InputParameterSpec* declared =
        component == nullptr ? nullptr : find(inputs_of(*component).parameters, placeholder.name);
    const bool has_default = declared != nullptr && declared->default_value;
    if (!item && !has_default && !inputs.parameters.contains(placeholder.name))
      findings_.error(place, fmt::format("{} names an input that the task does not pass", placeholder.text),
                      suggestion(placeholder.name, inputs.parameters));
    else if (placeholder.in_double_quotes())
      findings_.warning(
          place,
          fmt::format("{} is not replaced by the backend, which knows only single quotes", placeholder.text),
          fmt::format("write {{{{$.inputs.parameters['{}']}}}}", placeholder.name));
    else if (component != nullptr && component->dag)
      findings_.warning(
          place,
          fmt::format("{} is replaced only in the commands of containers: the backend passes it to the tasks "
                      "of this DAG unchanged",
                      placeholder.text),
          "pass the value as a separate input, and join the strings in a component");
  }

  void check_all_channels() {
    const Value all = to_json(spec_);
    for (const char* part : {"components", "deploymentSpec", "root"})
      if (all.contains(part)) check_channels(all[part], part);
  }

  // Finds the SDK's marks for values inside strings, which remain where it cannot resolve them.
  void check_channels(const Value& value, const std::string& place) {
    if (value.is_string()) {
      const std::string channel = unresolved_channel(value.get_ref<const std::string&>());
      if (!channel.empty())
        findings_.warning(
            place,
            fmt::format("{} was left unresolved by the SDK that compiled the pipeline, and remains "
                        "in the string",
                        channel),
            "pass the value as an input of a task");
      return;
    }
    if (value.is_array())
      for (std::size_t i = 0; i < value.size(); ++i)
        check_channels(value[i], fmt::format("{}[{}]", place, i));
    if (value.is_object())
      for (const auto& [name, element] : value.items()) {
        check_channels(name, place);
        check_channels(element, place + "." + name);
      }
  }

  void check_artifact(const std::string& name, const TaskInputArtifact& source, const ComponentInputs& wanted,
                      const Scope& scope, const std::string& task_place) {
    const std::string place = task_place + ".inputs.artifacts." + name;
    std::string given;
    std::string from;
    if (source.task_output_artifact) {
      const TaskOutputArtifact& output = *source.task_output_artifact;
      const std::string here = place + ".taskOutputArtifact";
      from = fmt::format("the output {} of the task {}", output.output_artifact_key.value_or(""),
                         output.producer_task.value_or(""));
      if (const Task* producer =
              check_producer(output.producer_task, scope, here, "producerTask", findings_)) {
        const OutputArtifactSpec* spec =
            check_output_artifact(*producer, *output.producer_task, output.output_artifact_key.value_or(""),
                                  scope, here, findings_);
        if (spec != nullptr) given = artifact_title(spec->artifact_type);
      }
    } else if (source.component_input_artifact) {
      const auto& inputs = inputs_of(scope.component).artifacts;
      from = "the input " + *source.component_input_artifact;
      const InputArtifactSpec* spec = find(inputs, *source.component_input_artifact);
      if (spec == nullptr)
        findings_.error(
            place + ".componentInputArtifact",
            fmt::format("names the input artifact \"{}\", which the component of this DAG does not have",
                        *source.component_input_artifact),
            suggestion(*source.component_input_artifact, inputs));
      else
        given = artifact_title(spec->artifact_type);
    } else {
      findings_.error(place, "has no artifact", "set taskOutputArtifact or componentInputArtifact");
    }
    const InputArtifactSpec* spec = find(wanted.artifacts, name);
    if (spec == nullptr)
      findings_.error(place, "the component has no such input", suggestion(name, wanted.artifacts));
    else
      check_artifact_types(given, artifact_title(spec->artifact_type), place, from, findings_);
  }

  void check_iterator(const Task& task, const ComponentSpec& component, const std::string& place) {
    const TaskInputs inputs = task.inputs.value_or(TaskInputs{});
    if (task.artifact_iterator)
      findings_.warning(place + ".artifactIterator",
                        "the open-source backend does not implement loops over artifacts",
                        "loop over parameters that name them");
    if (task.iterator_policy) {
      if (!loops(task))
        findings_.warning(place + ".iteratorPolicy", "has no effect on a task without a loop");
      if (task.iterator_policy->parallelism_limit.value_or(0) < 0)
        findings_.error(place + ".iteratorPolicy.parallelismLimit", "is negative");
    }
    if (!task.parameter_iterator) return;
    const std::string here = place + ".parameterIterator";
    const std::string item = task.parameter_iterator->item_input.value_or("");
    if (!inputs_of(component).parameters.contains(item))
      findings_.error(here + ".itemInput",
                      fmt::format("names the input \"{}\", which the component does not have", item),
                      suggestion(item, inputs_of(component).parameters));
    const ParameterItems items = task.parameter_iterator->items.value_or(ParameterItems{});
    if (items.input_parameter) {
      if (!inputs.parameters.contains(*items.input_parameter))
        findings_.error(
            here + ".items.inputParameter",
            fmt::format("names the input \"{}\", which the task does not pass", *items.input_parameter),
            suggestion(*items.input_parameter, inputs.parameters));
    } else if (items.raw) {
      const json list = json::parse(*items.raw, nullptr, false);
      if (list.is_discarded() || !list.is_array())
        findings_.error(here + ".items.raw", "is not a JSON list");
      else {
        check_numbers(list, here + ".items.raw", findings_);
        check_placeholders(list, task, here + ".items.raw");
      }
    } else {
      findings_.error(here + ".items", "are missing", "set raw or inputParameter");
    }
  }

  void check_policies(const Task& task, const ComponentSpec& component, const std::string& place) {
    if (task.trigger_policy && task.trigger_policy->condition) {
      const std::string here = place + ".triggerPolicy.condition";
      const auto passed = task.inputs.value_or(TaskInputs{}).parameters;
      try {
        for (const std::string& name : inputs_of_condition(parse_condition(*task.trigger_policy->condition)))
          if (!passed.contains(name))
            findings_.error(here, fmt::format("reads the input \"{}\", which the task does not pass", name),
                            suggestion(name, passed));
      } catch (const core::InputError& error) {
        // The backend supports all of CEL.
        findings_.warning(here, error.details().message, error.details().hint);
      }
      const Executor* executor = executor_of(spec_, component);
      if (executor != nullptr && executor->importer)
        findings_.warning(here, "an importer runs even if its condition is false",
                          "put the importer into a DAG with the condition");
    }
    if (!task.retry_policy) return;
    const std::string here = place + ".retryPolicy";
    if (task.retry_policy->max_retry_count.value_or(0) < 0)
      findings_.error(here + ".maxRetryCount", "is negative");
    if (task.retry_policy->backoff_factor.value_or(0) < 0)
      findings_.error(here + ".backoffFactor", "is negative");
    if (task.retry_policy->backoff_duration.value_or(Duration{"0s"}).seconds() < 0)
      findings_.error(here + ".backoffDuration", "is negative");
    if (task.retry_policy->backoff_max_duration.value_or(Duration{"0s"}).seconds() < 0)
      findings_.error(here + ".backoffMaxDuration", "is negative");
  }

  // True if the whole value is `{{$.inputs.parameters['pipelinechannel--x']}}`.
  static bool passes_channel(const TaskInputParameter& source) {
    if (!source.runtime_value || !source.runtime_value->constant ||
        !source.runtime_value->constant->is_string())
      return false;
    const auto text = source.runtime_value->constant->get<std::string>();
    const std::vector<Placeholder> found = placeholders_in(text);
    return found.size() == 1 && found[0].text == text && found[0].name.starts_with("pipelinechannel--");
  }

  static bool completes(const Task& task) {
    return task.trigger_policy &&
           task.trigger_policy->strategy == TriggerStrategy::kAllUpstreamTasksCompleted;
  }

  static std::vector<std::string> data_upstream(const Task& task) {
    Task data = task;
    data.dependent_tasks.clear();
    return upstream_of(data);
  }

  // Reports each cycle with its tasks.
  void check_cycles(const Scope& scope) {
    const std::vector<std::string> order = topological_order(scope.dag);
    if (order.size() == scope.dag.tasks.size()) return;
    const std::set<std::string> ordered(order.begin(), order.end());
    std::set<std::string> told;
    for (const auto& [start, task] : scope.dag.tasks) {
      if (ordered.contains(start) || told.contains(start)) continue;
      // Every remaining task waits for a remaining one, so that going upstream ends in a cycle.
      std::vector<std::string> path = {start};
      std::map<std::string, std::size_t> position = {{start, 0}};
      bool known = false;  // the path leads to a cycle that was already reported
      while (true) {
        const std::vector<std::string> upstream = upstream_of(scope.dag.tasks.at(path.back()));
        const std::string next =
            *std::find_if(upstream.begin(), upstream.end(), [&](const std::string& name) {
              return scope.dag.tasks.contains(name) && !ordered.contains(name);
            });
        known = told.contains(next);
        const auto [seen, added] = position.emplace(next, path.size());
        path.push_back(next);
        if (known) break;
        if (added) continue;
        told.insert(path.begin(), path.end());
        path.erase(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(seen->second));
        break;
      }
      told.insert(path.begin(), path.end());
      if (known) continue;
      std::reverse(path.begin(), path.end());
      findings_.error(scope.place + ".tasks." + path.front(),
                      fmt::format("depends on itself: {}", fmt::join(path, " -> ")));
    }
  }

  void check_dag_outputs(const Scope& scope, const std::string& place) {
    const ComponentOutputs& declared = outputs_of(scope.component);
    const DagOutputs outputs = scope.dag.outputs.value_or(DagOutputs{});
    for (const auto& [name, output] : outputs.parameters) {
      const std::string here = scope.place + ".outputs.parameters." + name;
      const OutputParameterSpec* declaration = find(declared.parameters, name);
      if (declaration == nullptr)
        findings_.error(here, "is not in outputDefinitions", suggestion(name, declared.parameters));
      std::vector<ParameterSelector> selectors;
      if (output.value_from_parameter) selectors = {*output.value_from_parameter};
      if (output.value_from_oneof) selectors = output.value_from_oneof->parameter_selectors;
      if (selectors.empty()) findings_.error(here, "does not name a task");
      for (const ParameterSelector& selector : selectors) {
        const Task* task =
            check_producer(selector.producer_subtask, scope, here, "producerSubtask", findings_);
        if (task == nullptr) continue;
        const OutputParameterSpec* spec =
            check_output_parameter(*task, *selector.producer_subtask,
                                   selector.output_parameter_key.value_or(""), scope, here, findings_);
        if (spec != nullptr && declaration != nullptr)
          note_type(output_type(spec_, *task, selector.output_parameter_key.value_or("")),
                    type_of(declaration->parameter_type, declaration->type), here,
                    *selector.producer_subtask);
      }
    }
    for (const auto& [name, output] : outputs.artifacts) {
      const std::string here = scope.place + ".outputs.artifacts." + name;
      const OutputArtifactSpec* declaration = find(declared.artifacts, name);
      if (declaration == nullptr)
        findings_.error(here, "is not in outputDefinitions", suggestion(name, declared.artifacts));
      if (output.artifact_selectors.empty()) findings_.error(here, "does not name a task");
      for (const ArtifactSelector& selector : output.artifact_selectors) {
        const Task* task =
            check_producer(selector.producer_subtask, scope, here, "producerSubtask", findings_);
        if (task == nullptr) continue;
        const OutputArtifactSpec* spec =
            check_output_artifact(*task, *selector.producer_subtask,
                                  selector.output_artifact_key.value_or(""), scope, here, findings_);
        if (spec != nullptr && declaration != nullptr)
          check_artifact_types(artifact_title(spec->artifact_type),
                               artifact_title(declaration->artifact_type), here,
                               "the task " + *selector.producer_subtask, findings_);
      }
    }
    for (const auto& [name, output] : declared.parameters)
      if (!outputs.parameters.contains(name))
        findings_.error(place + ".outputDefinitions.parameters." + name, "no task of the DAG produces it");
    for (const auto& [name, output] : declared.artifacts)
      if (!outputs.artifacts.contains(name))
        findings_.error(place + ".outputDefinitions.artifacts." + name, "no task of the DAG produces it");
  }

  // Notes an output of a DAG that is declared with another type than the task's, which the backend passes on.
  // Within and outside loops, the SDK declares either the list over the iterations or its element, by its own
  // rules.
  void note_type(ParameterType given, ParameterType declared, const std::string& place,
                 const std::string& task) {
    const bool list = given == ParameterType::kList || declared == ParameterType::kList;
    if (given == ParameterType::kUnspecified || declared == ParameterType::kUnspecified ||
        given == declared || list)
      return;
    findings_.warning(place,
                      fmt::format("is declared {}, but the task {} gives {}, which the backend passes on",
                                  type_text(declared), task, type_text(given)),
                      "declare the type of the task's output");
  }

  // Finds components whose DAG contains themselves, which never end. Works without recursion: the pipeline
  // may be deep.
  void check_recursion() {
    std::map<std::string, std::set<std::string>> holds;
    std::map<std::string, std::size_t> open;
    std::map<std::string, std::vector<std::string>> held_by;
    for (const auto& [name, component] : spec_.components) {
      open[name] = 0;
      if (!component.dag) continue;
      for (const auto& [task_name, task] : component.dag->tasks)
        if (component_of(spec_, task) != nullptr) holds[name].insert(*task.component_ref->name);
    }
    std::queue<std::string> ready;
    for (auto& [name, count] : open) {
      count = holds[name].size();
      for (const std::string& other : holds[name]) held_by[other].push_back(name);
      if (count == 0) ready.push(name);
    }
    std::size_t done = 0;
    for (; !ready.empty(); ready.pop(), ++done) {
      open.erase(ready.front());
      for (const std::string& name : held_by[ready.front()])
        if (--open.at(name) == 0) ready.push(name);
    }
    if (open.empty()) return;
    std::vector<std::string> names;
    names.reserve(open.size());
    for (const auto& [name, count] : open) names.push_back(name);
    findings_.error(
        "components." + names.front(),
        fmt::format("its DAG contains itself, directly or through others: {}", fmt::join(names, ", ")));
  }

  void check_unused() {
    for (const auto& [name, component] : spec_.components)
      if (!used_components_.contains(name)) findings_.note("components." + name, "no task uses it");
    if (!spec_.deployment_spec) return;
    for (const auto& [name, executor] : spec_.deployment_spec->executors)
      if (!used_executors_.contains(name))
        findings_.note("deploymentSpec.executors." + name, "no component uses it");
  }

  void check_workspace() {
    if (workspace_used_.empty()) return;
    if (pipeline_.platform && pipeline_.platform->platforms && pipeline_.platform->platforms->kubernetes) {
      const auto& config = pipeline_.platform->platforms->kubernetes->pipeline_config;
      if (config && config->workspace) return;
    }
    findings_.error(workspace_used_.front(),
                    "{{$.workspace_path}} is used, but the pipeline has no workspace",
                    "set pipelineConfig.workspace in the platform document");
  }

  const Pipeline& pipeline_;
  const PipelineSpec& spec_;
  Findings findings_;
  std::set<std::string> used_components_, used_executors_;
  std::multimap<std::string, Scope> scopes_of_executors_;
  std::vector<std::string> workspace_used_;
};

}  // namespace
}  // namespace checks

std::string Problem::to_text() const {
  static constexpr const char* kNames[] = {"error", "warning", "note"};
  std::string text = fmt::format("{}: {}: {}", kNames[static_cast<int>(severity)], place, message);
  if (!hint.empty()) text += fmt::format(" ({})", hint);
  return text;
}

nlohmann::json Problem::to_json() const {
  static constexpr const char* kNames[] = {"error", "warning", "note"};
  return {{"severity", kNames[static_cast<int>(severity)]},
          {"place", place},
          {"message", message},
          {"hint", hint}};
}

std::vector<Problem> validate(const Pipeline& pipeline) {
  return checks::Validator(pipeline).run();
}

bool has_errors(const std::vector<Problem>& problems) {
  return std::any_of(problems.begin(), problems.end(),
                     [](const Problem& problem) { return problem.severity == Problem::Severity::kError; });
}

std::vector<std::string> upstream_of(const Task& task) {
  std::set<std::string> names(task.dependent_tasks.begin(), task.dependent_tasks.end());
  if (task.inputs) {
    for (const auto& [name, source] : task.inputs->parameters) {
      if (source.task_output_parameter)
        names.insert(source.task_output_parameter->producer_task.value_or(""));
      if (source.task_final_status) names.insert(source.task_final_status->producer_task.value_or(""));
    }
    for (const auto& [name, source] : task.inputs->artifacts)
      if (source.task_output_artifact) names.insert(source.task_output_artifact->producer_task.value_or(""));
  }
  names.erase("");
  return {names.begin(), names.end()};
}

std::vector<std::string> topological_order(const Dag& dag) {
  std::map<std::string, std::size_t> open;
  std::map<std::string, std::vector<std::string>> downstream;
  std::set<std::string> ready;
  for (const auto& [name, task] : dag.tasks) {
    std::size_t waits = 0;
    for (const std::string& other : upstream_of(task)) {
      if (!dag.tasks.contains(other)) continue;
      ++waits;
      downstream[other].push_back(name);
    }
    open[name] = waits;
    if (waits == 0) ready.insert(name);
  }
  std::vector<std::string> order;
  while (!ready.empty()) {
    order.push_back(*ready.begin());
    ready.erase(ready.begin());
    for (const std::string& name : downstream[order.back()])
      if (--open[name] == 0) ready.insert(name);
  }
  return order;
}

}  // namespace kfp::ir
