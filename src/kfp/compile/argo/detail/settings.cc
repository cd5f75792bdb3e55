#include <fmt/format.h>

#include "kfp/compile/argo/detail/templates.h"

// Kubernetes settings of executors (the platform spec) as fields of Argo's templates.
namespace kfp::argo {
namespace {

using ir::TaskInputParameter;
using nlohmann::json;

class Settings {
 public:
  Settings(json& result, std::vector<Setting>& sources, const Place& place)
      : result_(result), sources_(sources), place_(place) {}

  void add(const ir::KubernetesExecutorConfig& config) {
    add_secrets(config);
    add_config_maps(config);
    add_volumes(config);
    add_placement(config);
    add_pod(config);
  }

 private:
  json& main() { return result_["container"]; }

  // A value that is known at compile time, or a reference to the input that provides it.
  std::string text(const TaskInputParameter& source) {
    if (const ir::Value* value = constant_of(source)) {
      std::string constant = parameter_text(*value, ir::ParameterType::kUnspecified);
      if (constant.find("{{") != std::string::npos)
        place_.refuse(fmt::format("\"{}\" in a setting", constant));
      return constant;
    }
    sources_.push_back({.source = source});
    return input(fmt::format("kfp-setting-{}", sources_.size() - 1)).text;
  }

  std::string name_of(const std::optional<TaskInputParameter>& source, const std::optional<std::string>& old,
                      const char* what) {
    if (source) return text(*source);
    if (!old || old->empty()) place_.refuse(fmt::format("a {} without a name", what));
    return *old;
  }

  std::string next(const char* kind) { return fmt::format("{}-{}", kind, volumes_++); }

  void mount(const std::string& name, json volume, const std::optional<std::string>& path,
             const std::string& sub_path = "", bool read_only = false) {
    volume["name"] = name;
    json mount = {{"name", name}, {"mountPath", path.value_or("")}};
    if (!sub_path.empty()) mount["subPath"] = sub_path;
    if (read_only) mount["readOnly"] = true;
    add_volume(result_, std::move(volume), std::move(mount));
  }

  void add_secrets(const ir::KubernetesExecutorConfig& config) {
    for (const ir::SecretAsEnv& secret : config.secret_as_env) {
      const std::string name = name_of(secret.secret_name_parameter, secret.secret_name, "secret");
      for (const ir::SecretKeyToEnv& key : secret.key_to_env)
        add_key("secretKeyRef", name, key.secret_key, key.env_var, secret.optional);
    }
    for (const ir::SecretAsVolume& secret : config.secret_as_volume) {
      json source = {{"secretName", name_of(secret.secret_name_parameter, secret.secret_name, "secret")}};
      if (secret.optional) source["optional"] = *secret.optional;
      mount(next("secret"), {{"secret", source}}, secret.mount_path);
    }
    json secrets = json::array();
    for (const ir::ImagePullSecret& secret : config.image_pull_secret)
      secrets.push_back({{"name", name_of(secret.secret_name_parameter, secret.secret_name, "pull secret")}});
    if (!secrets.empty()) add_pod_patch(result_, {{"imagePullSecrets", secrets}});
  }

  void add_config_maps(const ir::KubernetesExecutorConfig& config) {
    for (const ir::ConfigMapAsEnv& map : config.config_map_as_env) {
      const std::string name = name_of(map.config_map_name_parameter, map.config_map_name, "config map");
      for (const ir::ConfigMapKeyToEnv& key : map.key_to_env)
        add_key("configMapKeyRef", name, key.config_map_key, key.env_var, map.optional);
    }
    for (const ir::ConfigMapAsVolume& map : config.config_map_as_volume) {
      json source = {{"name", name_of(map.config_map_name_parameter, map.config_map_name, "config map")}};
      if (map.optional) source["optional"] = *map.optional;
      mount(next("config"), {{"configMap", source}}, map.mount_path);
    }
    for (const ir::FieldPathAsEnv& field : config.field_path_as_env)
      main()["env"].push_back(
          {{"name", field.name.value_or("")},
           {"valueFrom", {{"fieldRef", {{"fieldPath", field.field_path.value_or("")}}}}}});
  }

  void add_key(const char* kind, const std::string& name, const std::optional<std::string>& key,
               const std::optional<std::string>& variable, const std::optional<bool>& optional) {
    json source = {{"name", name}, {"key", key.value_or("")}};
    if (optional) source["optional"] = *optional;
    main()["env"].push_back({{"name", variable.value_or("")}, {"valueFrom", {{kind, source}}}});
  }

  void add_volumes(const ir::KubernetesExecutorConfig& config) {
    for (const ir::PvcMount& claim : config.pvc_mount) {
      std::string name;
      if (claim.pvc_name_parameter)
        name = text(*claim.pvc_name_parameter);
      else if (claim.constant)
        name = *claim.constant;
      else
        name = text({.task_output_parameter = claim.task_output_parameter,
                     .component_input_parameter = claim.component_input_parameter});
      mount(next("claim"), {{"persistentVolumeClaim", {{"claimName", name}}}}, claim.mount_path,
            claim.sub_path.value_or(""));
    }
    for (const ir::EmptyDirMount& dir : config.empty_dir_mounts) {
      json source = json::object();
      if (dir.medium && !dir.medium->empty()) source["medium"] = *dir.medium;
      if (dir.size_limit && !dir.size_limit->empty()) source["sizeLimit"] = *dir.size_limit;
      mount(dir.volume_name.value_or(next("empty")), {{"emptyDir", source}}, dir.mount_path);
    }
    if (config.enabled_shared_memory) {
      json source = {{"medium", "Memory"}};
      if (config.enabled_shared_memory->size && !config.enabled_shared_memory->size->empty())
        source["sizeLimit"] = *config.enabled_shared_memory->size;
      mount(config.enabled_shared_memory->volume_name.value_or("shm"), {{"emptyDir", source}}, "/dev/shm");
    }
    for (const ir::GenericEphemeralVolume& volume : config.generic_ephemeral_volume) {
      json claim = {{"spec", {{"accessModes", volume.access_modes}}}};
      claim["spec"]["resources"]["requests"]["storage"] = volume.size.value_or("");
      if (!volume.default_storage_class.value_or(false))
        claim["spec"]["storageClassName"] = volume.storage_class_name.value_or("");
      if (volume.metadata && !volume.metadata->labels.empty())
        claim["metadata"]["labels"] = volume.metadata->labels;
      if (volume.metadata && !volume.metadata->annotations.empty())
        claim["metadata"]["annotations"] = volume.metadata->annotations;
      mount(volume.volume_name.value_or(next("ephemeral")), {{"ephemeral", {{"volumeClaimTemplate", claim}}}},
            volume.mount_path);
    }
  }

  static json requirements(const std::vector<ir::SelectorRequirement>& list) {
    json result = json::array();
    for (const ir::SelectorRequirement& one : list) {
      json requirement = {{"key", one.key.value_or("")}, {"operator", one.operator_.value_or("")}};
      if (!one.values.empty()) requirement["values"] = one.values;
      result.push_back(std::move(requirement));
    }
    return result;
  }

  // An object that is known at compile time; else null, and the pod patch refers to the input that provides
  // it.
  json object_or_patch(const TaskInputParameter& source,
                       const std::function<json(const std::string&)>& patch) {
    if (const ir::Value* value = constant_of(source)) {
      json object = value->is_string() ? json::parse(value->get<std::string>(), nullptr, false) : *value;
      if (!object.is_structured())
        place_.refuse(fmt::format("the setting {}, which is not JSON", value->dump()));
      return object;
    }
    add_pod_patch(result_, patch(raw(text(source))));
    return nullptr;
  }

  void add_placement(const ir::KubernetesExecutorConfig& config) {
    if (config.node_selector && config.node_selector->node_selector_json) {
      const json labels =
          object_or_patch(*config.node_selector->node_selector_json, [](const std::string& value) {
            return json{{"nodeSelector", value}};
          });
      if (!labels.is_null()) result_["nodeSelector"] = labels;
    } else if (config.node_selector && !config.node_selector->labels.empty()) {
      result_["nodeSelector"] = config.node_selector->labels;
    }
    for (const ir::Toleration& toleration : config.tolerations)
      add_toleration(toleration, config.tolerations.size());
    for (const ir::NodeAffinityTerm& term : config.node_affinity)
      add_node_affinity(term, config.node_affinity.size());
    for (const ir::PodAffinityTerm& term : config.pod_affinity) add_pod_affinity(term);
  }

  void add_toleration(const ir::Toleration& toleration, std::size_t count) {
    if (toleration.toleration_json) {
      if (!constant_of(*toleration.toleration_json)) {
        // A patch replaces the whole list.
        if (count > 1) place_.refuse("a toleration from a parameter together with others");
        const std::string value = text(*toleration.toleration_json);
        const std::string name = value.substr(2, value.size() - 4);
        const std::string variable = input(name.substr(std::string("inputs.parameters.").size())).expression;
        const std::string list =
            fmt::format("hasPrefix(trim({0}), \"[\") ? {0} : \"[\" + {0} + \"]\"", variable);
        add_pod_patch(result_, {{"tolerations", raw(computed(list).text)}});
        return;
      }
      const json value = object_or_patch(*toleration.toleration_json, {});
      if (value.is_array())
        for (const json& one : value) result_["tolerations"].push_back(one);
      else
        result_["tolerations"].push_back(value);
      return;
    }
    json one = json::object();
    if (toleration.key) one["key"] = *toleration.key;
    if (toleration.operator_) one["operator"] = *toleration.operator_;
    if (toleration.value) one["value"] = *toleration.value;
    if (toleration.effect) one["effect"] = *toleration.effect;
    if (toleration.toleration_seconds) one["tolerationSeconds"] = *toleration.toleration_seconds;
    result_["tolerations"].push_back(std::move(one));
  }

  void add_node_affinity(const ir::NodeAffinityTerm& term, std::size_t count) {
    json& affinity = result_["affinity"];
    if (term.node_affinity_json) {
      if (!constant_of(*term.node_affinity_json) && count > 1)
        place_.refuse("a node affinity from a parameter together with others");
      const json value = object_or_patch(*term.node_affinity_json, [](const std::string& text) {
        return json{{"affinity", {{"nodeAffinity", text}}}};
      });
      if (!value.is_null()) affinity["nodeAffinity"].merge_patch(value);
      if (affinity.is_null()) result_.erase("affinity");
      return;
    }
    json expressions = json::object();
    if (!term.match_expressions.empty())
      expressions["matchExpressions"] = requirements(term.match_expressions);
    if (!term.match_fields.empty()) expressions["matchFields"] = requirements(term.match_fields);
    json& node = affinity["nodeAffinity"];
    if (term.weight)
      node["preferredDuringSchedulingIgnoredDuringExecution"].push_back(
          {{"weight", *term.weight}, {"preference", expressions}});
    else
      node["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"].push_back(expressions);
  }

  void add_pod_affinity(const ir::PodAffinityTerm& term) {
    const auto selector = [](const auto& labels, const auto& expressions) {
      json result = json::object();
      if (!labels.empty()) result["matchLabels"] = labels;
      if (!expressions.empty()) result["matchExpressions"] = requirements(expressions);
      return result;
    };
    json one = {{"topologyKey", term.topology_key.value_or("")}};
    if (const json pods = selector(term.match_pod_labels, term.match_pod_expressions); !pods.empty())
      one["labelSelector"] = pods;
    if (!term.namespaces.empty()) one["namespaces"] = term.namespaces;
    if (const json spaces = selector(term.match_namespace_labels, term.match_namespace_expressions);
        !spaces.empty())
      one["namespaceSelector"] = spaces;
    json& pods = result_["affinity"][term.anti.value_or(false) ? "podAntiAffinity" : "podAffinity"];
    if (term.weight)
      pods["preferredDuringSchedulingIgnoredDuringExecution"].push_back(
          {{"weight", *term.weight}, {"podAffinityTerm", one}});
    else
      pods["requiredDuringSchedulingIgnoredDuringExecution"].push_back(one);
  }

  void add_pod(const ir::KubernetesExecutorConfig& config) {
    if (config.pod_metadata) {
      if (!config.pod_metadata->labels.empty()) result_["metadata"]["labels"] = config.pod_metadata->labels;
      if (!config.pod_metadata->annotations.empty())
        result_["metadata"]["annotations"] = config.pod_metadata->annotations;
    }
    if (config.image_pull_policy && !config.image_pull_policy->empty())
      main()["imagePullPolicy"] = *config.image_pull_policy;
    if (config.active_deadline_seconds)
      result_["activeDeadlineSeconds"] = std::to_string(*config.active_deadline_seconds);
    if (config.security_context) {
      json context = json::object();
      if (config.security_context->run_as_user) context["runAsUser"] = *config.security_context->run_as_user;
      if (config.security_context->run_as_group)
        context["runAsGroup"] = *config.security_context->run_as_group;
      if (config.security_context->run_as_non_root)
        context["runAsNonRoot"] = *config.security_context->run_as_non_root;
      main()["securityContext"] = std::move(context);
    }
    for (const ir::InitContainer& container : config.init_containers) add_init_container(container);
    for (std::size_t i = 0; i < config.pod_resource_claims.size(); ++i) {
      const ir::PodResourceClaim& claim = config.pod_resource_claims[i];
      if (claim.resource_claim_json)
        place_.refuse("a resource claim from JSON", "name a resource claim template");
      const std::string name = fmt::format("claim-{}", i);
      add_pod_patch(result_,
                    {{"resourceClaims",
                      {{{"name", name},
                        {"resourceClaimTemplateName", claim.resource_claim_template_name.value_or("")}}}}});
      main()["resources"]["claims"].push_back({{"name", name}});
    }
  }

  void add_init_container(const ir::InitContainer& container) {
    json one = {{"name", container.name.value_or(fmt::format("init-{}", init_containers_++))},
                {"image", container.image.value_or("")}};
    if (!container.command.empty()) one["command"] = container.command;
    if (!container.args.empty()) one["args"] = container.args;
    for (const ir::EnvVar& variable : container.env)
      one["env"].push_back({{"name", variable.name.value_or("")}, {"value", variable.value.value_or("")}});
    for (const ir::VolumeMount& mount : container.volume_mounts)
      one["volumeMounts"].push_back(
          {{"name", mount.volume_name.value_or("")}, {"mountPath", mount.mount_path.value_or("")}});
    if (container.restart_policy) one["restartPolicy"] = *container.restart_policy;
    if (container.resources) {
      if (!container.resources->requests.empty())
        one["resources"]["requests"] = container.resources->requests;
      if (!container.resources->limits.empty()) one["resources"]["limits"] = container.resources->limits;
    }
    if (one.dump().find("{{") != std::string::npos) place_.refuse("\"{{\" in an init container");
    result_["initContainers"].push_back(std::move(one));
  }

  json& result_;
  std::vector<Setting>& sources_;
  const Place& place_;
  int volumes_ = 0;
  int init_containers_ = 0;
};

}  // namespace

void add_kubernetes_settings(json& result, const ir::KubernetesExecutorConfig& config,
                             std::vector<Setting>& settings, const Place& place) {
  Settings(result, settings, place).add(config);
}

}  // namespace kfp::argo
