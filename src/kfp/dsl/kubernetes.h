#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kfp/dsl/container_component.h"
#include "kfp/dsl/task.h"
#include "kfp/ir/platform.h"

/// Kubernetes settings of tasks that run a container. Each function returns the task. The settings are
/// written into the platform spec, the second document of a compiled pipeline.
/// @throws core::UsageError for tasks that run no container, and for settings that Kubernetes would reject
namespace kfp::dsl::kubernetes {

/// Pairs of a key in a secret or config map and the environment variable for it.
using KeysToEnv = std::vector<std::pair<std::string, std::string>>;

struct SourceOptions {
  bool optional = false;  ///< the secret or config map need not exist
};

/// Mounts a persistent volume claim, given by a name or a value (create_pvc's output "name").
Task mount_pvc(const Task& task, const TextOrValue& name, const std::string& path,
               const std::string& sub_path = "");

/// A component that creates a claim. Inputs: access_modes (list, "ReadWriteOnce" …), size ("5Gi"), and one of
/// pvc_name and pvc_name_suffix (appended to the run's name); storage_class_name (empty for an existing
/// volume), volume_name, annotations, data_source. Output: name.
ContainerComponent create_pvc();
/// A component that deletes a claim. Input: pvc_name.
ContainerComponent delete_pvc();

struct EmptyDirOptions {
  std::string medium = "";  ///< "Memory", or the node's disk
  std::string size = "";    ///< "5Gi"; empty = no limit
};
/// Mounts an empty folder with the lifetime of the pod.
Task empty_dir(const Task& task, const std::string& volume, const std::string& path,
               const EmptyDirOptions& options = {});

struct EphemeralVolumeOptions {
  std::vector<std::string> access_modes = {"ReadWriteOnce"};
  std::string size;                                         ///< "5Gi"
  std::optional<std::string> storage_class = std::nullopt;  ///< none = the cluster's default
  std::map<std::string, std::string> labels = {};
  std::map<std::string, std::string> annotations = {};
};
/// Mounts a volume that is provisioned for the pod and has its lifetime.
Task ephemeral_volume(const Task& task, const std::string& volume, const std::string& path,
                      const EphemeralVolumeOptions& options);

/// Mounts memory at /dev/shm.
Task shared_memory(const Task& task, const std::string& volume, const std::string& size = "");

/// Passes secrets and config maps as environment variables, or as files below a path.
Task secret_as_env(const Task& task, const TextOrValue& name, const KeysToEnv& keys,
                   const SourceOptions& options = {});
Task secret_as_volume(const Task& task, const TextOrValue& name, const std::string& path,
                      const SourceOptions& options = {});
Task config_map_as_env(const Task& task, const TextOrValue& name, const KeysToEnv& keys,
                       const SourceOptions& options = {});
Task config_map_as_volume(const Task& task, const TextOrValue& name, const std::string& path,
                          const SourceOptions& options = {});
/// Passes a field of the pod ("metadata.name") as an environment variable.
Task field_path_as_env(const Task& task, const std::string& variable, const std::string& field_path);

/// Sets the secrets for pulling images.
Task image_pull_secrets(const Task& task, const std::vector<TextOrValue>& names);
/// Sets the policy: "Always", "Never" or "IfNotPresent".
Task image_pull_policy(const Task& task, const std::string& policy);

Task pod_label(const Task& task, const std::string& key, const std::string& value);
Task pod_annotation(const Task& task, const std::string& key, const std::string& value);

/// Allows only nodes with this label.
Task node_selector(const Task& task, const std::string& key, const std::string& value);
/// Takes the labels from a parameter of type STRUCT, which replaces constant ones.
Task node_selector(const Task& task, const Value& labels);

struct TolerationOptions {
  std::string key = "";
  std::string operator_ = "";  ///< "Equal", "Exists"
  std::string value = "";
  std::string effect = "";  ///< "NoSchedule", "PreferNoSchedule", "NoExecute"; empty = all
  std::optional<std::int64_t> seconds = std::nullopt;
};
/// Also allows nodes with this taint.
Task toleration(const Task& task, const TolerationOptions& options);
/// Takes tolerations from a parameter: a STRUCT, or a LIST of them.
Task toleration(const Task& task, const Value& json);

struct Requirement {
  std::string key;
  std::string operator_;  ///< "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"
  std::vector<std::string> values = {};
};
struct NodeAffinityOptions {
  std::vector<Requirement> expressions = {};  ///< about the node's labels
  std::vector<Requirement> fields = {};       ///< about the node's fields: metadata.name
  std::optional<int> weight = std::nullopt;   ///< 1 to 100 = preferred; none = required
};
/// Sets the nodes that a pod requires or prefers.
Task node_affinity(const Task& task, const NodeAffinityOptions& options);
/// Takes the affinity from a parameter of type STRUCT (NodeAffinity of Kubernetes).
Task node_affinity(const Task& task, const Value& json);

struct PodAffinityOptions {
  std::map<std::string, std::string> labels = {};  ///< labels of the other pods
  std::vector<Requirement> expressions = {};       ///< about the labels of the other pods
  std::string topology_key;                        ///< label of the shared domain: "kubernetes.io/hostname"
  std::vector<std::string> namespaces = {};
  std::optional<int> weight = std::nullopt;  ///< 1 to 100 = preferred; none = required
};
/// Sets the other pods with which (or, for anti-affinity, apart from which) a pod must run or prefers to run.
Task pod_affinity(const Task& task, const PodAffinityOptions& options);
Task pod_anti_affinity(const Task& task, const PodAffinityOptions& options);

/// Stops the pod after this many seconds; 0 = no limit.
Task timeout(const Task& task, std::int64_t seconds);

struct SecurityOptions {
  std::optional<std::int64_t> user = std::nullopt;
  std::optional<std::int64_t> group = std::nullopt;
  std::optional<bool> non_root = std::nullopt;
};
/// Sets the user and group of the container.
Task security_context(const Task& task, const SecurityOptions& options);

/// The settings themselves, for everything else (init containers, resource claims …).
ir::KubernetesExecutorConfig& settings(const Task& task);

}  // namespace kfp::dsl::kubernetes
