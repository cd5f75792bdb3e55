#pragma once

#include "kfp/ir/types.h"

namespace kfp::ir {

/// An output parameter of another task of the same DAG.
struct TaskOutputParameter {
  std::optional<std::string> producer_task;
  std::optional<std::string> output_parameter_key;

  template <class V>
  void describe(V& v) {
    v("producerTask", producer_task);
    v("outputParameterKey", output_parameter_key);
  }
};

/// The final status of another task, for exit tasks.
struct TaskFinalStatus {
  std::optional<std::string> producer_task;

  template <class V>
  void describe(V& v) {
    v("producerTask", producer_task);
  }
};

/// The source of a task's input parameter (TaskInputsSpec.InputParameterSpec).
struct TaskInputParameter {
  std::optional<TaskOutputParameter> task_output_parameter;
  std::optional<ValueOrRuntimeParameter> runtime_value;
  std::optional<std::string> component_input_parameter;  ///< an input of the component that has the DAG
  std::optional<TaskFinalStatus> task_final_status;
  /// CEL that selects a part of the value: `parseJson(string_value)["A"]`.
  std::optional<std::string> parameter_expression_selector;

  template <class V>
  void describe(V& v) {
    v.alternative("kind", "taskOutputParameter", task_output_parameter);
    v.alternative("kind", "runtimeValue", runtime_value);
    v.alternative("kind", "componentInputParameter", component_input_parameter);
    v.alternative("kind", "taskFinalStatus", task_final_status);
    v("parameterExpressionSelector", parameter_expression_selector);
  }
};

/// An output artifact of another task of the same DAG.
struct TaskOutputArtifact {
  std::optional<std::string> producer_task;
  std::optional<std::string> output_artifact_key;

  template <class V>
  void describe(V& v) {
    v("producerTask", producer_task);
    v("outputArtifactKey", output_artifact_key);
  }
};

/// The source of a task's input artifact (TaskInputsSpec.InputArtifactSpec).
struct TaskInputArtifact {
  std::optional<TaskOutputArtifact> task_output_artifact;
  std::optional<std::string> component_input_artifact;

  template <class V>
  void describe(V& v) {
    v.alternative("kind", "taskOutputArtifact", task_output_artifact);
    v.alternative("kind", "componentInputArtifact", component_input_artifact);
  }
};

/// The inputs of a task, by the names in its component.
struct TaskInputs {
  std::map<std::string, TaskInputParameter> parameters;
  std::map<std::string, TaskInputArtifact> artifacts;

  template <class V>
  void describe(V& v) {
    v("parameters", parameters);
    v("artifacts", artifacts);
  }
};

/// Name of a task in displays.
struct TaskInfo {
  std::optional<std::string> name;

  template <class V>
  void describe(V& v) {
    v("name", name);
  }
};

/// Settings of the cache, which reuses the results of a finished task with the same inputs.
struct CachingOptions {
  std::optional<bool> enable_cache;
  std::optional<std::string> cache_key;  ///< replaces the key that the server computes

  template <class V>
  void describe(V& v) {
    v("enableCache", enable_cache);
    v("cacheKey", cache_key);
  }
};

/// The component that a task runs.
struct ComponentRef {
  std::optional<std::string> name;

  template <class V>
  void describe(V& v) {
    v("name", name);
  }
};

/// Conditions for running a task: an expression (CEL over `inputs.parameter_values['x']`) and a strategy.
struct TriggerPolicy {
  std::optional<std::string> condition;
  std::optional<TriggerStrategy> strategy;

  template <class V>
  void describe(V& v) {
    v("condition", condition);
    v("strategy", strategy);
  }
};

/// The artifacts of a loop.
struct ArtifactItems {
  std::optional<std::string> input_artifact;

  template <class V>
  void describe(V& v) {
    v("inputArtifact", input_artifact);
  }
};

/// A loop over a list of artifacts; the open-source backend does not implement it.
struct ArtifactIterator {
  std::optional<ArtifactItems> items;
  std::optional<std::string> item_input;

  template <class V>
  void describe(V& v) {
    v("items", items);
    v("itemInput", item_input);
  }
};

/// The values of a loop: a JSON list as a string, or an input parameter that is a list.
struct ParameterItems {
  std::optional<std::string> raw;
  std::optional<std::string> input_parameter;

  template <class V>
  void describe(V& v) {
    v.alternative("kind", "raw", raw);
    v.alternative("kind", "inputParameter", input_parameter);
  }
};

/// A loop over values; `item_input` is the component's input parameter that receives each value.
struct ParameterIterator {
  std::optional<ParameterItems> items;
  std::optional<std::string> item_input;

  template <class V>
  void describe(V& v) {
    v("items", items);
    v("itemInput", item_input);
  }
};

/// Number of retries of a failed task, and the waiting times before them.
struct RetryPolicy {
  std::optional<std::int32_t> max_retry_count;
  std::optional<Duration> backoff_duration;
  std::optional<double> backoff_factor;
  std::optional<Duration> backoff_max_duration;

  template <class V>
  void describe(V& v) {
    v("maxRetryCount", max_retry_count);
    v("backoffDuration", backoff_duration);
    v("backoffFactor", backoff_factor);
    v("backoffMaxDuration", backoff_max_duration);
  }
};

/// Largest number of simultaneous iterations of a loop; 0 = no limit.
struct IteratorPolicy {
  std::optional<std::int32_t> parallelism_limit;

  template <class V>
  void describe(V& v) {
    v("parallelismLimit", parallelism_limit);
  }
};

/// One task of a DAG (PipelineTaskSpec).
struct Task {
  std::optional<TaskInfo> task_info;
  std::optional<TaskInputs> inputs;
  std::vector<std::string> dependent_tasks;  ///< tasks that must end before this one
  std::optional<CachingOptions> caching_options;
  std::optional<ComponentRef> component_ref;
  std::optional<TriggerPolicy> trigger_policy;
  std::optional<ArtifactIterator> artifact_iterator;
  std::optional<ParameterIterator> parameter_iterator;
  std::optional<RetryPolicy> retry_policy;
  std::optional<IteratorPolicy> iterator_policy;

  template <class V>
  void describe(V& v) {
    v("taskInfo", task_info);
    v("inputs", inputs);
    v("dependentTasks", dependent_tasks);
    v("cachingOptions", caching_options);
    v("componentRef", component_ref);
    v("triggerPolicy", trigger_policy);
    v.alternative("iterator", "artifactIterator", artifact_iterator);
    v.alternative("iterator", "parameterIterator", parameter_iterator);
    v("retryPolicy", retry_policy);
    v("iteratorPolicy", iterator_policy);
  }
};

}  // namespace kfp::ir
