#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kfp/dsl/container_component.h"
#include "kfp/dsl/task.h"
#include "kfp/ir/platform.h"

/// Kubernetes settings of tasks that run a container. Each returns the task. They are written into the
/// platform spec, the second document of a compiled pipeline.
/// @throws core::UsageError for tasks that run no container, and for what Kubernetes would refuse
namespace kfp::dsl::kubernetes {

/// Keys of a secret or config map, and the environment variables that they become.
using KeysToEnv = std::vector<std::pair<std::string, std::string>>;

struct SourceOptions {
  bool optional = false;  ///< the secret or config map need not exist
};

/// Mounts a persistent volume claim: a name, or a value (create_pvc's output "name").
Task mount_pvc(const Task& task, const TextOrValue& name, const std::string& path,
               const std::string& sub_path = "");

/// A component that creates a claim. Inputs: access_modes (list, "ReadWriteOnce" …), size ("5Gi"), and one of
/// pvc_name and pvc_name_suffix (behind the run's name); storage_class_name (empty for a volume that exists),
/// volume_name, annotations, data_source. Output: name.
ContainerComponent create_pvc();
/// A component that deletes a claim. Input: pvc_name.
ContainerComponent delete_pvc();

struct EmptyDirOptions {
  std::string medium = "";  ///< "Memory", or the node's disk
  std::string size = "";    ///< "5Gi"; empty: as much as there is
};
/// Mounts an empty folder that lives as long as the pod.
Task empty_dir(const Task& task, const std::string& volume, const std::string& path,
               const EmptyDirOptions& options = {});

struct EphemeralVolumeOptions {
  std::vector<std::string> access_modes = {"ReadWriteOnce"};
  std::string size;                                         ///< "5Gi"
  std::optional<std::string> storage_class = std::nullopt;  ///< none: the cluster's default
  std::map<std::string, std::string> labels = {};
  std::map<std::string, std::string> annotations = {};
};
/// Mounts a volume that is provisioned for the pod and lives as long as it.
Task ephemeral_volume(const Task& task, const std::string& volume, const std::string& path,
                      const EphemeralVolumeOptions& options);

/// Memory at /dev/shm.
Task shared_memory(const Task& task, const std::string& volume, const std::string& size = "");

/// Secrets and config maps as environment variables, or as files below a path.
Task secret_as_env(const Task& task, const TextOrValue& name, const KeysToEnv& keys,
                   const SourceOptions& options = {});
Task secret_as_volume(const Task& task, const TextOrValue& name, const std::string& path,
                      const SourceOptions& options = {});
Task config_map_as_env(const Task& task, const TextOrValue& name, const KeysToEnv& keys,
                       const SourceOptions& options = {});
Task config_map_as_volume(const Task& task, const TextOrValue& name, const std::string& path,
                          const SourceOptions& options = {});
/// A field of the pod ("metadata.name") as environment variable.
Task field_path_as_env(const Task& task, const std::string& variable, const std::string& field_path);

/// Secrets with which images are pulled.
Task image_pull_secrets(const Task& task, const std::vector<TextOrValue>& names);
/// "Always", "Never", "IfNotPresent".
Task image_pull_policy(const Task& task, const std::string& policy);

Task pod_label(const Task& task, const std::string& key, const std::string& value);
Task pod_annotation(const Task& task, const std::string& key, const std::string& value);

/// Only nodes with this label.
Task node_selector(const Task& task, const std::string& key, const std::string& value);
/// Labels from a parameter of type STRUCT; replaces the constant ones.
Task node_selector(const Task& task, const Value& labels);

struct TolerationOptions {
  std::string key = "";
  std::string operator_ = "";  ///< "Equal", "Exists"
  std::string value = "";
  std::string effect = "";  ///< "NoSchedule", "PreferNoSchedule", "NoExecute"; empty: all
  std::optional<std::int64_t> seconds = std::nullopt;
};
/// Also nodes with this taint.
Task toleration(const Task& task, const TolerationOptions& options);
/// Tolerations from a parameter: a STRUCT, or a LIST of them.
Task toleration(const Task& task, const Value& json);

struct Requirement {
  std::string key;
  std::string operator_;  ///< "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"
  std::vector<std::string> values = {};
};
struct NodeAffinityOptions {
  std::vector<Requirement> expressions = {};  ///< on the node's labels
  std::vector<Requirement> fields = {};       ///< on the node's fields: metadata.name
  std::optional<int> weight = std::nullopt;   ///< 1 to 100: preferred; none: required
};
/// Which nodes a pod needs or prefers.
Task node_affinity(const Task& task, const NodeAffinityOptions& options);
/// As a parameter of type STRUCT (NodeAffinity of Kubernetes).
Task node_affinity(const Task& task, const Value& json);

struct PodAffinityOptions {
  std::map<std::string, std::string> labels = {};  ///< of the other pods
  std::vector<Requirement> expressions = {};       ///< on their labels
  std::string topology_key;                        ///< what is shared: "kubernetes.io/hostname"
  std::vector<std::string> namespaces = {};
  std::optional<int> weight = std::nullopt;  ///< 1 to 100: preferred; none: required
};
/// Beside which other pods a pod needs or prefers to run; the second: apart from which.
Task pod_affinity(const Task& task, const PodAffinityOptions& options);
Task pod_anti_affinity(const Task& task, const PodAffinityOptions& options);

/// The pod is stopped after so many seconds; 0 is no limit.
Task timeout(const Task& task, std::int64_t seconds);

struct SecurityOptions {
  std::optional<std::int64_t> user = std::nullopt;
  std::optional<std::int64_t> group = std::nullopt;
  std::optional<bool> non_root = std::nullopt;
};
/// As whom the container runs.
Task security_context(const Task& task, const SecurityOptions& options);

/// Everything else: the settings themselves (init containers, resource claims …).
ir::KubernetesExecutorConfig& settings(const Task& task);

}  // namespace kfp::dsl::kubernetes
