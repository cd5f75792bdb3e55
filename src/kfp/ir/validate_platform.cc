#include "kfp/ir/detail/checks.h"

namespace kfp::ir::checks {
namespace {

// Checks the Kubernetes settings of one executor.
class PlatformChecker {
 public:
  PlatformChecker(const std::multimap<std::string, Scope>& scopes, const std::string& label,
                  std::string place, Findings& findings)
      : scopes_(scopes), label_(label), place_(std::move(place)), findings_(findings) {}

  void run(const KubernetesExecutorConfig& config) {
    each("secretAsVolume", config.secret_as_volume,
         [&](const SecretAsVolume& volume, const std::string& place) {
           named(volume.secret_name, volume.secret_name_parameter, place, "secretNameParameter");
           mounted(volume.mount_path, place);
         });
    each("secretAsEnv", config.secret_as_env, [&](const SecretAsEnv& secret, const std::string& place) {
      named(secret.secret_name, secret.secret_name_parameter, place, "secretNameParameter");
      for (const SecretKeyToEnv& key : secret.key_to_env)
        if (key.secret_key.value_or("").empty() || key.env_var.value_or("").empty())
          findings_.error(place + ".keyToEnv", "must have secretKey and envVar");
    });
    each("configMapAsVolume", config.config_map_as_volume,
         [&](const ConfigMapAsVolume& volume, const std::string& place) {
           named(volume.config_map_name, volume.config_map_name_parameter, place, "configMapNameParameter");
           mounted(volume.mount_path, place);
         });
    each("configMapAsEnv", config.config_map_as_env,
         [&](const ConfigMapAsEnv& map, const std::string& place) {
           named(map.config_map_name, map.config_map_name_parameter, place, "configMapNameParameter");
           for (const ConfigMapKeyToEnv& key : map.key_to_env)
             if (key.config_map_key.value_or("").empty() || key.env_var.value_or("").empty())
               findings_.error(place + ".keyToEnv", "must have configMapKey and envVar");
         });
    each("imagePullSecret", config.image_pull_secret,
         [&](const ImagePullSecret& secret, const std::string& place) {
           named(secret.secret_name, secret.secret_name_parameter, place, "secretNameParameter");
         });
    each("pvcMount", config.pvc_mount, [&](const PvcMount& mount, const std::string& place) {
      const TaskInputParameter old{.task_output_parameter = mount.task_output_parameter,
                                   .component_input_parameter = mount.component_input_parameter};
      if (old.task_output_parameter || old.component_input_parameter) source(old, place);
      const bool has_old = old.task_output_parameter || old.component_input_parameter || mount.constant;
      named(has_old ? std::optional<std::string>("old") : std::nullopt, mount.pvc_name_parameter, place,
            "pvcNameParameter");
      mounted(mount.mount_path, place);
    });
    each("emptyDirMounts", config.empty_dir_mounts,
         [&](const EmptyDirMount& mount, const std::string& place) {
           if (mount.volume_name.value_or("").empty()) findings_.error(place, "has no volumeName");
           mounted(mount.mount_path, place);
         });
    each("genericEphemeralVolume", config.generic_ephemeral_volume,
         [&](const GenericEphemeralVolume& volume, const std::string& place) {
           if (volume.volume_name.value_or("").empty()) findings_.error(place, "has no volumeName");
           mounted(volume.mount_path, place);
         });
    each("tolerations", config.tolerations, [&](const Toleration& toleration, const std::string& place) {
      if (toleration.toleration_json) source(*toleration.toleration_json, place + ".tolerationJson");
      one_of(toleration.operator_, {"Equal", "Exists"}, place + ".operator");
      one_of(toleration.effect, {"NoSchedule", "PreferNoSchedule", "NoExecute"}, place + ".effect");
    });
    each("nodeAffinity", config.node_affinity, [&](const NodeAffinityTerm& term, const std::string& place) {
      if (term.node_affinity_json) source(*term.node_affinity_json, place + ".nodeAffinityJson");
      weight(term.weight, place);
    });
    each("podAffinity", config.pod_affinity, [&](const PodAffinityTerm& term, const std::string& place) {
      if (term.topology_key.value_or("").empty())
        findings_.error(place, "has no topologyKey", "for example kubernetes.io/hostname");
      weight(term.weight, place);
    });
    each("fieldPathAsEnv", config.field_path_as_env,
         [&](const FieldPathAsEnv& field, const std::string& place) {
           if (field.name.value_or("").empty() || field.field_path.value_or("").empty())
             findings_.error(place, "must have name and fieldPath");
         });
    each("initContainers", config.init_containers,
         [&](const InitContainer& container, const std::string& place) {
           if (container.image.value_or("").empty()) findings_.error(place, "has no image");
           if (container.name == "kfp-launcher")
             findings_.error(place + ".name", "kfp-launcher is reserved for the backend");
           one_of(container.restart_policy, {"Always"}, place + ".restartPolicy");
         });
    each("podResourceClaims", config.pod_resource_claims,
         [&](const PodResourceClaim& claim, const std::string& place) {
           if (claim.resource_claim_json) source(*claim.resource_claim_json, place + ".resourceClaimJson");
         });
    if (config.node_selector && config.node_selector->node_selector_json)
      source(*config.node_selector->node_selector_json, place_ + ".nodeSelector.nodeSelectorJson");
    one_of(config.image_pull_policy, {"Always", "Never", "IfNotPresent"}, place_ + ".imagePullPolicy");
    if (config.active_deadline_seconds.value_or(1) <= 0)
      findings_.error(place_ + ".activeDeadlineSeconds", "must be positive");
  }

 private:
  template <class T, class Check>
  void each(const char* field, const std::vector<T>& list, Check check) {
    for (std::size_t i = 0; i < list.size(); ++i) check(list[i], fmt::format("{}.{}[{}]", place_, field, i));
  }

  // The setting is resolved in the scope of each task that runs the executor.
  void source(const TaskInputParameter& value, const std::string& place) {
    const auto [begin, end] = scopes_.equal_range(label_);
    for (auto scope = begin; scope != end; ++scope) check_source(value, scope->second, place, findings_);
  }

  void named(const std::optional<std::string>& old, const std::optional<TaskInputParameter>& parameter,
             const std::string& place, const char* field) {
    if (parameter)
      source(*parameter, place + '.' + field);
    else if (old.value_or("").empty())
      findings_.error(place, "has no name", fmt::format("set {}", field));
    else
      findings_.note(place, "the name is given only in the old form", fmt::format("set {}, too", field));
  }

  void mounted(const std::optional<std::string>& path, const std::string& place) {
    if (!path || path->empty()) return findings_.error(place, "has no mountPath");
    if (!path->starts_with('/'))
      // Kubernetes accepts it, relative to the root.
      findings_.warning(place + ".mountPath", fmt::format("{} is not absolute", *path), "start it with /");
    // Kubernetes rejects a pod with two volumes at the same path.
    if (!mounts_.insert(*path).second)
      findings_.error(place + ".mountPath", fmt::format("something else is mounted on {}", *path));
  }

  void one_of(const std::optional<std::string>& value, const std::vector<std::string>& allowed,
              const std::string& place) {
    if (!value || value->empty() || std::find(allowed.begin(), allowed.end(), *value) != allowed.end())
      return;
    findings_.error(place, fmt::format("is \"{}\"", *value),
                    fmt::format("one of {}", fmt::join(allowed, ", ")));
  }

  void weight(const std::optional<std::int32_t>& value, const std::string& place) {
    if (value && (*value < 1 || *value > 100))
      findings_.error(place + ".weight", "must be between 1 and 100");
  }

  const std::multimap<std::string, Scope>& scopes_;
  const std::string& label_;
  std::string place_;
  Findings& findings_;
  std::set<std::string> mounts_;
};

}  // namespace

void check_platform(const Pipeline& pipeline, const std::multimap<std::string, Scope>& scopes,
                    Findings& findings) {
  if (!pipeline.platform || !pipeline.platform->platforms || !pipeline.platform->platforms->kubernetes)
    return;
  const SinglePlatformSpec& kubernetes = *pipeline.platform->platforms->kubernetes;
  const std::string place = "platforms.kubernetes";
  const std::map<std::string, Executor> executors =
      pipeline.spec.deployment_spec.value_or(DeploymentConfig{}).executors;
  if (kubernetes.deployment_spec) {
    for (const auto& [label, config] : kubernetes.deployment_spec->executors) {
      const std::string here = place + ".deploymentSpec.executors." + label;
      if (!executors.contains(label))
        findings.error(here, "deploymentSpec of the pipeline has no such executor",
                       suggestion(label, executors));
      PlatformChecker(scopes, label, here, findings).run(config);
    }
  }
  if (!kubernetes.pipeline_config) return;
  const PipelineConfig& config = *kubernetes.pipeline_config;
  const std::string here = place + ".pipelineConfig";
  if (config.workspace && config.workspace->size.value_or("").empty())
    findings.error(here + ".workspace", "has no size");
  const std::pair<const char*, std::optional<std::int32_t>> times[] = {
      {"resourceTtlOnCompletion", config.resource_ttl_on_completion},
      {"resourceTtlOnSuccess", config.resource_ttl_on_success},
      {"resourceTtlOnFailure", config.resource_ttl_on_failure},
      {"activeDeadlineSeconds", config.active_deadline_seconds}};
  for (const auto& [field, seconds] : times)
    if (seconds.value_or(0) < 0) findings.error(here + '.' + field, "is negative");
}

}  // namespace kfp::ir::checks
