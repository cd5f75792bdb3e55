#pragma once

#include "kfp/ir/deployment.h"
#include "kfp/ir/task.h"

namespace kfp::ir {

/// A mount of /dev/shm, in memory.
struct EnabledSharedMemory {
  std::optional<std::string> volume_name;
  std::optional<std::string> size;

  template <class V>
  void describe(V& v) {
    v("volumeName", volume_name);
    v("size", size);
  }
};

/// A secret as files. `secret_name` is deprecated; `secret_name_parameter` gives the name.
struct SecretAsVolume {
  std::optional<std::string> secret_name;
  std::optional<std::string> mount_path;
  std::optional<bool> optional;  ///< the secret need not exist
  std::optional<TaskInputParameter> secret_name_parameter;

  template <class V>
  void describe(V& v) {
    v("secretName", secret_name);
    v("mountPath", mount_path);
    v("optional", optional);
    v("secretNameParameter", secret_name_parameter);
  }
};

/// Maps a key of a secret to an environment variable.
struct SecretKeyToEnv {
  std::optional<std::string> secret_key;
  std::optional<std::string> env_var;

  template <class V>
  void describe(V& v) {
    v("secretKey", secret_key);
    v("envVar", env_var);
  }
};

/// Keys of a secret as environment variables.
struct SecretAsEnv {
  std::optional<std::string> secret_name;  ///< deprecated
  std::vector<SecretKeyToEnv> key_to_env;
  std::optional<bool> optional;
  std::optional<TaskInputParameter> secret_name_parameter;

  template <class V>
  void describe(V& v) {
    v("secretName", secret_name);
    v("keyToEnv", key_to_env);
    v("optional", optional);
    v("secretNameParameter", secret_name_parameter);
  }
};

/// A mount of a persistent volume claim. The first three fields are deprecated; `pvc_name_parameter` gives
/// the name.
struct PvcMount {
  std::optional<TaskOutputParameter> task_output_parameter;
  std::optional<std::string> constant;
  std::optional<std::string> component_input_parameter;
  std::optional<std::string> mount_path;
  std::optional<TaskInputParameter> pvc_name_parameter;
  std::optional<std::string> sub_path;

  template <class V>
  void describe(V& v) {
    v.alternative("pvc_reference", "taskOutputParameter", task_output_parameter);
    v.alternative("pvc_reference", "constant", constant);
    v.alternative("pvc_reference", "componentInputParameter", component_input_parameter);
    v("mountPath", mount_path);
    v("pvcNameParameter", pvc_name_parameter);
    v("subPath", sub_path);
  }
};

/// Labels that a node must have; `node_selector_json` replaces them.
struct NodeSelector {
  std::map<std::string, std::string> labels;
  std::optional<TaskInputParameter> node_selector_json;

  template <class V>
  void describe(V& v) {
    v("labels", labels);
    v("nodeSelectorJson", node_selector_json);
  }
};

/// Labels and annotations of a pod (or of a volume claim).
struct PodMetadata {
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;

  template <class V>
  void describe(V& v) {
    v("labels", labels);
    v("annotations", annotations);
  }
};

/// A config map as files.
struct ConfigMapAsVolume {
  std::optional<std::string> config_map_name;  ///< deprecated
  std::optional<std::string> mount_path;
  std::optional<bool> optional;
  std::optional<TaskInputParameter> config_map_name_parameter;

  template <class V>
  void describe(V& v) {
    v("configMapName", config_map_name);
    v("mountPath", mount_path);
    v("optional", optional);
    v("configMapNameParameter", config_map_name_parameter);
  }
};

/// Maps a key of a config map to an environment variable.
struct ConfigMapKeyToEnv {
  std::optional<std::string> config_map_key;
  std::optional<std::string> env_var;

  template <class V>
  void describe(V& v) {
    v("configMapKey", config_map_key);
    v("envVar", env_var);
  }
};

/// Keys of a config map as environment variables.
struct ConfigMapAsEnv {
  std::optional<std::string> config_map_name;  ///< deprecated
  std::vector<ConfigMapKeyToEnv> key_to_env;
  std::optional<TaskInputParameter> config_map_name_parameter;
  std::optional<bool> optional;

  template <class V>
  void describe(V& v) {
    v("configMapName", config_map_name);
    v("keyToEnv", key_to_env);
    v("configMapNameParameter", config_map_name_parameter);
    v("optional", optional);
  }
};

/// A volume with the lifetime of the pod, provisioned by a storage class.
struct GenericEphemeralVolume {
  std::optional<std::string> volume_name;
  std::optional<std::string> mount_path;
  std::vector<std::string> access_modes;
  std::optional<std::string> size;
  std::optional<bool> default_storage_class;
  std::optional<std::string> storage_class_name;
  std::optional<PodMetadata> metadata;

  template <class V>
  void describe(V& v) {
    v("volumeName", volume_name);
    v("mountPath", mount_path);
    v("accessModes", access_modes);
    v("size", size);
    v("defaultStorageClass", default_storage_class);
    v("storageClassName", storage_class_name);
    v("metadata", metadata);
  }
};

/// A secret for pulling images.
struct ImagePullSecret {
  std::optional<std::string> secret_name;  ///< deprecated
  std::optional<TaskInputParameter> secret_name_parameter;

  template <class V>
  void describe(V& v) {
    v("secretName", secret_name);
    v("secretNameParameter", secret_name_parameter);
  }
};

/// A field of the pod ("metadata.name") as an environment variable.
struct FieldPathAsEnv {
  std::optional<std::string> name;
  std::optional<std::string> field_path;

  template <class V>
  void describe(V& v) {
    v("name", name);
    v("fieldPath", field_path);
  }
};

/// A taint of nodes that a pod tolerates; `toleration_json` replaces the other fields.
struct Toleration {
  std::optional<std::string> key;
  std::optional<std::string> operator_;  ///< "Equal" or "Exists"
  std::optional<std::string> value;
  std::optional<std::string> effect;
  std::optional<std::int64_t> toleration_seconds;
  std::optional<TaskInputParameter> toleration_json;

  template <class V>
  void describe(V& v) {
    v("key", key);
    v("operator", operator_);
    v("value", value);
    v("effect", effect);
    v("tolerationSeconds", toleration_seconds);
    v("tolerationJson", toleration_json);
  }
};

/// A requirement on a label: key, operator ("In", "NotIn", "Exists" …), values.
struct SelectorRequirement {
  std::optional<std::string> key;
  std::optional<std::string> operator_;
  std::vector<std::string> values;

  template <class V>
  void describe(V& v) {
    v("key", key);
    v("operator", operator_);
    v("values", values);
  }
};

/// Nodes that a pod requires, or prefers if there is a weight.
struct NodeAffinityTerm {
  std::vector<SelectorRequirement> match_expressions;
  std::vector<SelectorRequirement> match_fields;
  std::optional<std::int32_t> weight;
  std::optional<TaskInputParameter> node_affinity_json;

  template <class V>
  void describe(V& v) {
    v("matchExpressions", match_expressions);
    v("matchFields", match_fields);
    v("weight", weight);
    v("nodeAffinityJson", node_affinity_json);
  }
};

/// Pods that a pod must run with (or, with `anti`, apart from), or prefers to if there is a weight.
struct PodAffinityTerm {
  std::vector<SelectorRequirement> match_pod_expressions;
  std::map<std::string, std::string> match_pod_labels;
  std::optional<std::string> topology_key;
  std::vector<std::string> namespaces;
  std::vector<SelectorRequirement> match_namespace_expressions;
  std::map<std::string, std::string> match_namespace_labels;
  std::optional<std::int32_t> weight;
  std::optional<bool> anti;

  template <class V>
  void describe(V& v) {
    v("matchPodExpressions", match_pod_expressions);
    v("matchPodLabels", match_pod_labels);
    v("topologyKey", topology_key);
    v("namespaces", namespaces);
    v("matchNamespaceExpressions", match_namespace_expressions);
    v("matchNamespaceLabels", match_namespace_labels);
    v("weight", weight);
    v("anti", anti);
  }
};

/// An empty folder with the lifetime of the pod.
struct EmptyDirMount {
  std::optional<std::string> volume_name;
  std::optional<std::string> mount_path;
  std::optional<std::string> medium;      ///< "Memory", or the node's disk
  std::optional<std::string> size_limit;  ///< "5Gi"

  template <class V>
  void describe(V& v) {
    v("volumeName", volume_name);
    v("mountPath", mount_path);
    v("medium", medium);
    v("sizeLimit", size_limit);
  }
};

/// User and group of the container's process.
struct SecurityContext {
  std::optional<std::int64_t> run_as_user;
  std::optional<std::int64_t> run_as_group;
  std::optional<bool> run_as_non_root;

  template <class V>
  void describe(V& v) {
    v("runAsUser", run_as_user);
    v("runAsGroup", run_as_group);
    v("runAsNonRoot", run_as_non_root);
  }
};

/// A mount of the pod's volume in an init container.
struct VolumeMount {
  std::optional<std::string> volume_name;
  std::optional<std::string> mount_path;

  template <class V>
  void describe(V& v) {
    v("volumeName", volume_name);
    v("mountPath", mount_path);
  }
};

/// Requests and limits of an init container: resource name to quantity.
struct ResourceRequirements {
  std::map<std::string, std::string> requests;
  std::map<std::string, std::string> limits;

  template <class V>
  void describe(V& v) {
    v("requests", requests);
    v("limits", limits);
  }
};

/// A container that ends before the main one starts (or runs alongside it: restart policy "Always").
struct InitContainer {
  std::optional<std::string> name;
  std::optional<std::string> image;
  std::vector<std::string> command;
  std::vector<std::string> args;
  std::vector<EnvVar> env;
  std::vector<VolumeMount> volume_mounts;
  std::optional<std::string> restart_policy;
  std::optional<ResourceRequirements> resources;

  template <class V>
  void describe(V& v) {
    v("name", name);
    v("image", image);
    v("command", command);
    v("args", args);
    v("env", env);
    v("volumeMounts", volume_mounts);
    v("restartPolicy", restart_policy);
    v("resources", resources);
  }
};

/// A claim for devices (dynamic resource allocation).
struct PodResourceClaim {
  std::optional<std::string> resource_claim_template_name;
  std::optional<TaskInputParameter> resource_claim_json;

  template <class V>
  void describe(V& v) {
    v("resourceClaimTemplateName", resource_claim_template_name);
    v("resourceClaimJson", resource_claim_json);
  }
};

/// Kubernetes settings of one executor (KubernetesExecutorConfig).
struct KubernetesExecutorConfig {
  std::vector<SecretAsVolume> secret_as_volume;
  std::vector<SecretAsEnv> secret_as_env;
  std::vector<PvcMount> pvc_mount;
  std::optional<NodeSelector> node_selector;
  std::optional<PodMetadata> pod_metadata;
  std::vector<ImagePullSecret> image_pull_secret;
  std::optional<std::string> image_pull_policy;  ///< "Always", "Never", "IfNotPresent"
  std::vector<ConfigMapAsVolume> config_map_as_volume;
  std::vector<ConfigMapAsEnv> config_map_as_env;
  std::optional<std::int64_t> active_deadline_seconds;
  std::vector<FieldPathAsEnv> field_path_as_env;
  std::vector<Toleration> tolerations;
  std::vector<GenericEphemeralVolume> generic_ephemeral_volume;
  std::vector<NodeAffinityTerm> node_affinity;
  std::vector<PodAffinityTerm> pod_affinity;
  std::optional<EnabledSharedMemory> enabled_shared_memory;
  std::vector<EmptyDirMount> empty_dir_mounts;
  std::optional<SecurityContext> security_context;
  std::vector<InitContainer> init_containers;
  std::vector<PodResourceClaim> pod_resource_claims;

  template <class V>
  void describe(V& v) {
    v("secretAsVolume", secret_as_volume);
    v("secretAsEnv", secret_as_env);
    v("pvcMount", pvc_mount);
    v("nodeSelector", node_selector);
    v("podMetadata", pod_metadata);
    v("imagePullSecret", image_pull_secret);
    v("imagePullPolicy", image_pull_policy);
    v("configMapAsVolume", config_map_as_volume);
    v("configMapAsEnv", config_map_as_env);
    v("activeDeadlineSeconds", active_deadline_seconds);
    v("fieldPathAsEnv", field_path_as_env);
    v("tolerations", tolerations);
    v("genericEphemeralVolume", generic_ephemeral_volume);
    v("nodeAffinity", node_affinity);
    v("podAffinity", pod_affinity);
    v("enabledSharedMemory", enabled_shared_memory);
    v("emptyDirMounts", empty_dir_mounts);
    v("securityContext", security_context);
    v("initContainers", init_containers);
    v("podResourceClaims", pod_resource_claims);
  }
};

/// Kubernetes settings of the executors, by label.
struct PlatformDeploymentConfig {
  std::map<std::string, KubernetesExecutorConfig> executors;

  template <class V>
  void describe(V& v) {
    v("executors", executors);
  }
};

/// Settings of the volume claim for a workspace.
struct KubernetesWorkspaceConfig {
  std::optional<JsonObject> pvc_spec_patch;

  template <class V>
  void describe(V& v) {
    v("pvcSpecPatch", pvc_spec_patch);
  }
};

/// A volume that all tasks of a run share.
struct WorkspaceConfig {
  std::optional<std::string> size;
  std::optional<KubernetesWorkspaceConfig> kubernetes;

  template <class V>
  void describe(V& v) {
    v("size", size);
    v("kubernetes", kubernetes);
  }
};

/// Settings of the whole run; times in seconds.
struct PipelineConfig {
  std::optional<std::int32_t> resource_ttl_on_completion;
  std::optional<WorkspaceConfig> workspace;
  std::optional<std::int32_t> resource_ttl_on_success;
  std::optional<std::int32_t> resource_ttl_on_failure;
  std::optional<std::int32_t> active_deadline_seconds;

  template <class V>
  void describe(V& v) {
    v("resourceTtlOnCompletion", resource_ttl_on_completion);
    v("workspace", workspace);
    v("resourceTtlOnSuccess", resource_ttl_on_success);
    v("resourceTtlOnFailure", resource_ttl_on_failure);
    v("activeDeadlineSeconds", active_deadline_seconds);
  }
};

/// Kubernetes settings of a pipeline (SinglePlatformSpec).
struct SinglePlatformSpec {
  std::optional<PlatformDeploymentConfig> deployment_spec;
  std::optional<std::string> platform;
  std::optional<JsonObject> config;
  std::optional<PipelineConfig> pipeline_config;

  template <class V>
  void describe(V& v) {
    v("deploymentSpec", deployment_spec);
    v("platform", platform);
    v("config", config);
    v("pipelineConfig", pipeline_config);
  }
};

/// The platforms of a pipeline. Kubernetes is interpreted; others are kept unchanged.
struct Platforms {
  std::optional<SinglePlatformSpec> kubernetes;
  std::map<std::string, JsonObject> others;

  template <class V>
  void describe(V& v) {
    v("kubernetes", kubernetes);
    v.rest(others);
  }
};

/// The second document of a compiled pipeline (PlatformSpec).
struct PlatformSpec {
  std::optional<Platforms> platforms;

  template <class V>
  void describe(V& v) {
    v("platforms", platforms);
  }
};

}  // namespace kfp::ir
