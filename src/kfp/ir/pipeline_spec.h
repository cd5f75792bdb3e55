#pragma once

#include "kfp/ir/deployment.h"
#include "kfp/ir/platform.h"
#include "kfp/ir/task.h"

namespace kfp::ir {

/// An input artifact of a component (ComponentInputsSpec.ArtifactSpec).
struct InputArtifactSpec {
  std::optional<ArtifactTypeSchema> artifact_type;
  std::optional<bool> is_artifact_list;
  std::optional<bool> is_optional;
  std::optional<std::string> description;

  template <class V>
  void describe(V& v) {
    v("artifactType", artifact_type);
    v("isArtifactList", is_artifact_list);
    v("isOptional", is_optional);
    v("description", description);
  }
};

/// An input parameter of a component (ComponentInputsSpec.ParameterSpec).
struct InputParameterSpec {
  std::optional<PrimitiveType> type;  ///< deprecated
  std::optional<ParameterType> parameter_type;
  std::optional<Value> default_value;
  std::optional<bool> is_optional;
  std::optional<std::string> description;
  std::vector<Value> literals;  ///< allowed values; empty = all

  template <class V>
  void describe(V& v) {
    v("type", type);
    v("parameterType", parameter_type);
    v("defaultValue", default_value);
    v("isOptional", is_optional);
    v("description", description);
    v("literals", literals);
  }
};

/// The inputs of a component.
struct ComponentInputs {
  std::map<std::string, InputArtifactSpec> artifacts;
  std::map<std::string, InputParameterSpec> parameters;

  template <class V>
  void describe(V& v) {
    v("artifacts", artifacts);
    v("parameters", parameters);
  }
};

/// An output artifact of a component (ComponentOutputsSpec.ArtifactSpec).
struct OutputArtifactSpec {
  std::optional<ArtifactTypeSchema> artifact_type;
  std::map<std::string, ValueOrRuntimeParameter> properties;         ///< deprecated: metadata
  std::map<std::string, ValueOrRuntimeParameter> custom_properties;  ///< deprecated: metadata
  std::optional<JsonObject> metadata;
  std::optional<bool> is_artifact_list;
  std::optional<std::string> description;

  template <class V>
  void describe(V& v) {
    v("artifactType", artifact_type);
    v("properties", properties);
    v("customProperties", custom_properties);
    v("metadata", metadata);
    v("isArtifactList", is_artifact_list);
    v("description", description);
  }
};

/// An output parameter of a component (ComponentOutputsSpec.ParameterSpec).
struct OutputParameterSpec {
  std::optional<PrimitiveType> type;  ///< deprecated
  std::optional<ParameterType> parameter_type;
  std::optional<std::string> description;

  template <class V>
  void describe(V& v) {
    v("type", type);
    v("parameterType", parameter_type);
    v("description", description);
  }
};

/// The outputs of a component.
struct ComponentOutputs {
  std::map<std::string, OutputArtifactSpec> artifacts;
  std::map<std::string, OutputParameterSpec> parameters;

  template <class V>
  void describe(V& v) {
    v("artifacts", artifacts);
    v("parameters", parameters);
  }
};

/// An output artifact of a task inside a DAG.
struct ArtifactSelector {
  std::optional<std::string> producer_subtask;
  std::optional<std::string> output_artifact_key;

  template <class V>
  void describe(V& v) {
    v("producerSubtask", producer_subtask);
    v("outputArtifactKey", output_artifact_key);
  }
};

/// The source of a DAG's output artifact; if there are several, the one whose task ran.
struct DagOutputArtifact {
  std::vector<ArtifactSelector> artifact_selectors;

  template <class V>
  void describe(V& v) {
    v("artifactSelectors", artifact_selectors);
  }
};

/// An output parameter of a task inside a DAG.
struct ParameterSelector {
  std::optional<std::string> producer_subtask;
  std::optional<std::string> output_parameter_key;

  template <class V>
  void describe(V& v) {
    v("producerSubtask", producer_subtask);
    v("outputParameterKey", output_parameter_key);
  }
};

/// Several output parameters, of which the first whose task ran is taken.
struct ParameterSelectors {
  std::vector<ParameterSelector> parameter_selectors;

  template <class V>
  void describe(V& v) {
    v("parameterSelectors", parameter_selectors);
  }
};

/// The source of a DAG's output parameter.
struct DagOutputParameter {
  std::optional<ParameterSelector> value_from_parameter;
  std::optional<ParameterSelectors> value_from_oneof;

  template <class V>
  void describe(V& v) {
    v.alternative("kind", "valueFromParameter", value_from_parameter);
    v.alternative("kind", "valueFromOneof", value_from_oneof);
  }
};

/// The outputs of a DAG, by the names of its component's outputs.
struct DagOutputs {
  std::map<std::string, DagOutputArtifact> artifacts;
  std::map<std::string, DagOutputParameter> parameters;

  template <class V>
  void describe(V& v) {
    v("artifacts", artifacts);
    v("parameters", parameters);
  }
};

/// Tasks and outputs.
struct Dag {
  std::map<std::string, Task> tasks;
  std::optional<DagOutputs> outputs;

  template <class V>
  void describe(V& v) {
    v("tasks", tasks);
    v("outputs", outputs);
  }
};

/// A setting of the task that is passed to its component.
struct TaskConfigPassthrough {
  std::optional<TaskConfigPassthroughType> field;
  std::optional<bool> apply_to_task;

  template <class V>
  void describe(V& v) {
    v("field", field);
    v("applyToTask", apply_to_task);
  }
};

/// A component: its interface, and either a DAG or the label of an executor.
struct ComponentSpec {
  std::optional<ComponentInputs> input_definitions;
  std::optional<ComponentOutputs> output_definitions;
  std::optional<Dag> dag;
  std::optional<std::string> executor_label;
  std::vector<SinglePlatformSpec> single_platform_specs;
  std::vector<TaskConfigPassthrough> task_config_passthroughs;

  template <class V>
  void describe(V& v) {
    v("inputDefinitions", input_definitions);
    v("outputDefinitions", output_definitions);
    v.alternative("implementation", "dag", dag);
    v.alternative("implementation", "executorLabel", executor_label);
    v("singlePlatformSpecs", single_platform_specs);
    v("taskConfigPassthroughs", task_config_passthroughs);
  }
};

/// Names of a pipeline.
struct PipelineInfo {
  std::optional<std::string> name;
  std::optional<std::string> display_name;
  std::optional<std::string> description;

  template <class V>
  void describe(V& v) {
    v("name", name);
    v("displayName", display_name);
    v("description", description);
  }
};

/// The first document of a compiled pipeline.
struct PipelineSpec {
  std::optional<PipelineInfo> pipeline_info;
  std::optional<DeploymentConfig> deployment_spec;
  std::optional<std::string> sdk_version;
  std::optional<std::string> schema_version;  ///< "2.1.0"
  std::map<std::string, ComponentSpec> components;
  std::optional<ComponentSpec> root;
  std::optional<std::string> default_pipeline_root;

  template <class V>
  void describe(V& v) {
    v("pipelineInfo", pipeline_info);
    v("deploymentSpec", deployment_spec);
    v("sdkVersion", sdk_version);
    v("schemaVersion", schema_version);
    v("components", components);
    v("root", root);
    v("defaultPipelineRoot", default_pipeline_root);
  }
};

/// A value in a pipeline's file that YAML readers interpret differently.
struct ReadingNote {
  std::string place;    ///< "root.dag.tasks.train.inputs.parameters.epochs.runtimeValue.constant"
  std::string message;  ///< "line 7: 0777 is 511 for the server and here, …"
  bool harmless = false;
};

/// A compiled pipeline: one or two documents.
struct Pipeline {
  PipelineSpec spec;
  std::optional<PlatformSpec> platform;
  std::vector<ReadingNote> notes = {};  ///< about the file that it was read from
};

}  // namespace kfp::ir
