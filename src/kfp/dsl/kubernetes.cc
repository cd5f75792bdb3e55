#include "kfp/dsl/kubernetes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "core/error.h"
#include "kfp/dsl/detail/graph.h"

namespace kfp::dsl::kubernetes {
namespace {

using graph::Channel;

[[noreturn]] void refuse_setting(const Task& task, const char* setting, std::string message,
                                 std::string hint = "") {
  throw core::UsageError({.message = std::move(message),
                          .field = fmt::format("{} of task {}", setting, task.name()),
                          .hint = std::move(hint)});
}

template <std::size_t N>
void check_choice(const Task& task, const char* setting, const std::string& given,
                  const std::array<const char*, N>& choices) {
  if (std::find(choices.begin(), choices.end(), given) == choices.end())
    refuse_setting(task, setting, fmt::format("cannot be \"{}\"", given),
                   fmt::format("one of {}", fmt::join(choices, ", ")));
}

void check_path(const Task& task, const char* setting, const std::string& path) {
  if (!path.starts_with('/'))
    refuse_setting(task, setting, fmt::format("cannot be mounted at \"{}\"", path), "give an absolute path");
}

void check_name(const Task& task, const char* setting, const TextOrValue& name) {
  if (name.text().empty()) refuse_setting(task, setting, "has no name");
}

// A reference to a value in the IR, resolved when the pipeline is compiled.
ir::TaskInputParameter reference(const Task& task, const char* setting, const Value& value) {
  const Channel& channel = value.channel();
  const std::string consumer = fmt::format("{} of task {}", setting, task.name());
  if (value.graph() != task.graph())
    refuse_setting(task, setting,
                   fmt::format("cannot take {} of pipeline {}", channel.described(), value.graph()->name));
  if (task.node().exit_of != nullptr && channel.kind != Channel::Kind::kPipelineInput)
    refuse_setting(task, setting,
                   fmt::format("cannot take {}, because the task is the exit task of {}", channel.described(),
                               task.node().exit_of->name));
  check_visible(*task.graph(), channel, *task.node().parent, consumer);
  return {.component_input_parameter = value.text()};
}

ir::TaskInputParameter text_parameter(const Task& task, const char* setting, const TextOrValue& given) {
  if (!given.value()) return {.runtime_value = ir::ValueOrRuntimeParameter{.constant = given.text()}};
  const ParameterType type = given.value()->type().type;
  if (type != ParameterType::kString && type != ParameterType::kUnspecified)
    refuse_setting(task, setting,
                   fmt::format("cannot take {}: it must be a STRING", given.value()->channel().described()));
  return reference(task, setting, *given.value());
}

ir::TaskInputParameter json_parameter(const Task& task, const char* setting, const Value& value,
                                      bool list_too) {
  const ParameterType type = value.type().type;
  if (type != ParameterType::kStruct && type != ParameterType::kUnspecified &&
      !(list_too && type == ParameterType::kList))
    refuse_setting(task, setting,
                   fmt::format("cannot take {}: it must be a STRUCT", value.channel().described()));
  return reference(task, setting, value);
}

// Constant for the deprecated field, which serves older backends and accepts only constants.
std::optional<std::string> constant(const TextOrValue& given) {
  return given.value() ? std::nullopt : std::optional(given.text());
}

template <class Pair>
std::vector<Pair> key_pairs(const Task& task, const char* setting, const KeysToEnv& keys) {
  std::vector<Pair> pairs;
  for (const auto& [key, variable] : keys) {
    if (key.empty() || variable.empty())
      refuse_setting(task, setting, "has a key or environment variable without a name");
    pairs.push_back({key, variable});
  }
  if (pairs.empty())
    refuse_setting(task, setting, "has no keys", "give a key and the environment variable for it");
  return pairs;
}

std::vector<ir::SelectorRequirement> requirements(const Task& task, const char* setting,
                                                  const std::vector<Requirement>& given) {
  std::vector<ir::SelectorRequirement> result;
  for (const Requirement& requirement : given) {
    if (requirement.key.empty()) refuse_setting(task, setting, "has a requirement without a key");
    check_choice(task, setting, requirement.operator_,
                 std::array{"In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"});
    result.push_back(
        {.key = requirement.key, .operator_ = requirement.operator_, .values = requirement.values});
  }
  return result;
}

void check_weight(const Task& task, const char* setting, const std::optional<int>& weight) {
  if (weight && (*weight < 1 || *weight > 100))
    refuse_setting(task, setting, fmt::format("cannot have the weight {}", *weight),
                   "1 to 100, or none if it is required");
}

Task add_pod_affinity(const Task& task, const PodAffinityOptions& options, bool anti) {
  const char* setting = anti ? "pod anti-affinity" : "pod affinity";
  if (options.topology_key.empty())
    refuse_setting(task, setting, "has no topology key", "for example kubernetes.io/hostname");
  check_weight(task, setting, options.weight);
  ir::PodAffinityTerm term{.match_pod_expressions = requirements(task, setting, options.expressions),
                           .match_pod_labels = options.labels,
                           .topology_key = options.topology_key,
                           .namespaces = options.namespaces,
                           .weight = options.weight};
  if (anti) term.anti = true;
  settings(task).pod_affinity.push_back(std::move(term));
  return task;
}

}  // namespace

ir::KubernetesExecutorConfig& settings(const Task& task) {
  if (!task.node().is_container())
    refuse_setting(task, "Kubernetes settings", "cannot be set: it does not run a container",
                   "set them on the tasks inside");
  if (!task.node().kubernetes) task.node().kubernetes.emplace();
  return *task.node().kubernetes;
}

Task mount_pvc(const Task& task, const TextOrValue& name, const std::string& path,
               const std::string& sub_path) {
  check_name(task, "volume claim", name);
  check_path(task, "volume claim", path);
  ir::PvcMount mount{.mount_path = path, .pvc_name_parameter = text_parameter(task, "volume claim", name)};
  if (name.value())
    mount.component_input_parameter = name.text();
  else
    mount.constant = name.text();
  if (!sub_path.empty()) mount.sub_path = sub_path;
  settings(task).pvc_mount.push_back(std::move(mount));
  return task;
}

ContainerComponent create_pvc() {
  return {
      .name = "createpvc",
      .description = "Creates a persistent volume claim.",
      .inputs =
          {{"access_modes",
            parameter(list_of(ParameterType::kString), {.description = "Access modes of the claim."})},
           {"size", parameter(ParameterType::kString, {.description = "Requested size: 5Gi."})},
           {"pvc_name",
            parameter(ParameterType::kString, {.optional = true, .description = "Name of the claim."})},
           {"pvc_name_suffix",
            parameter(
                ParameterType::kString,
                {.optional = true, .description = "Suffix of the claim's name, after the name of the run."})},
           {"storage_class_name",
            parameter(ParameterType::kString,
                      {.default_value = "", .description = "Storage class; empty for an existing volume."})},
           {"volume_name", parameter(ParameterType::kString,
                                     {.optional = true, .description = "Name of the existing volume."})},
           {"annotations", parameter(struct_of(ParameterType::kString),
                                     {.optional = true, .description = "Annotations of the claim."})},
           {"data_source", parameter(struct_of(ParameterType::kString),
                                     {.optional = true, .description = "A snapshot or claim to copy."})}},
      .outputs = {{"name", parameter(ParameterType::kString)}},
      .image = "argostub/createpvc"};
}

ContainerComponent delete_pvc() {
  return {.name = "deletepvc",
          .description = "Deletes a persistent volume claim.",
          .inputs = {{"pvc_name", parameter(ParameterType::kString, {.description = "Name of the claim."})}},
          .image = "argostub/deletepvc"};
}

Task empty_dir(const Task& task, const std::string& volume, const std::string& path,
               const EmptyDirOptions& options) {
  check_name(task, "empty dir", volume);
  check_path(task, "empty dir", path);
  ir::EmptyDirMount mount{.volume_name = volume, .mount_path = path};
  if (!options.medium.empty()) mount.medium = options.medium;
  if (!options.size.empty()) mount.size_limit = options.size;
  settings(task).empty_dir_mounts.push_back(std::move(mount));
  return task;
}

Task ephemeral_volume(const Task& task, const std::string& volume, const std::string& path,
                      const EphemeralVolumeOptions& options) {
  check_name(task, "ephemeral volume", volume);
  check_path(task, "ephemeral volume", path);
  if (options.size.empty() || options.access_modes.empty())
    refuse_setting(task, "ephemeral volume", "has no size or access mode");
  ir::GenericEphemeralVolume mount{.volume_name = volume,
                                   .mount_path = path,
                                   .access_modes = options.access_modes,
                                   .size = options.size,
                                   .storage_class_name = options.storage_class};
  if (!options.storage_class) mount.default_storage_class = true;
  if (!options.labels.empty() || !options.annotations.empty())
    mount.metadata = ir::PodMetadata{options.labels, options.annotations};
  settings(task).generic_ephemeral_volume.push_back(std::move(mount));
  return task;
}

Task shared_memory(const Task& task, const std::string& volume, const std::string& size) {
  check_name(task, "shared memory", volume);
  ir::EnabledSharedMemory memory{.volume_name = volume};
  if (!size.empty()) memory.size = size;
  settings(task).enabled_shared_memory = std::move(memory);
  return task;
}

Task secret_as_env(const Task& task, const TextOrValue& name, const KeysToEnv& keys,
                   const SourceOptions& options) {
  check_name(task, "secret", name);
  settings(task).secret_as_env.push_back({.secret_name = constant(name),
                                          .key_to_env = key_pairs<ir::SecretKeyToEnv>(task, "secret", keys),
                                          .optional = options.optional,
                                          .secret_name_parameter = text_parameter(task, "secret", name)});
  return task;
}

Task secret_as_volume(const Task& task, const TextOrValue& name, const std::string& path,
                      const SourceOptions& options) {
  check_name(task, "secret", name);
  check_path(task, "secret", path);
  settings(task).secret_as_volume.push_back({.secret_name = constant(name),
                                             .mount_path = path,
                                             .optional = options.optional,
                                             .secret_name_parameter = text_parameter(task, "secret", name)});
  return task;
}

Task config_map_as_env(const Task& task, const TextOrValue& name, const KeysToEnv& keys,
                       const SourceOptions& options) {
  check_name(task, "config map", name);
  settings(task).config_map_as_env.push_back(
      {.config_map_name = constant(name),
       .key_to_env = key_pairs<ir::ConfigMapKeyToEnv>(task, "config map", keys),
       .config_map_name_parameter = text_parameter(task, "config map", name),
       .optional = options.optional});
  return task;
}

Task config_map_as_volume(const Task& task, const TextOrValue& name, const std::string& path,
                          const SourceOptions& options) {
  check_name(task, "config map", name);
  check_path(task, "config map", path);
  settings(task).config_map_as_volume.push_back(
      {.config_map_name = constant(name),
       .mount_path = path,
       .optional = options.optional,
       .config_map_name_parameter = text_parameter(task, "config map", name)});
  return task;
}

Task field_path_as_env(const Task& task, const std::string& variable, const std::string& field_path) {
  if (variable.empty() || field_path.empty())
    refuse_setting(task, "field as environment variable", "has no name or field");
  settings(task).field_path_as_env.push_back({.name = variable, .field_path = field_path});
  return task;
}

Task image_pull_secrets(const Task& task, const std::vector<TextOrValue>& names) {
  for (const TextOrValue& name : names) {
    check_name(task, "image pull secret", name);
    settings(task).image_pull_secret.push_back(
        {.secret_name = constant(name),
         .secret_name_parameter = text_parameter(task, "image pull secret", name)});
  }
  return task;
}

Task image_pull_policy(const Task& task, const std::string& policy) {
  check_choice(task, "image pull policy", policy, std::array{"Always", "Never", "IfNotPresent"});
  settings(task).image_pull_policy = policy;
  return task;
}

namespace {

ir::PodMetadata& metadata(const Task& task) {
  auto& pod = settings(task).pod_metadata;
  if (!pod) pod.emplace();
  return *pod;
}

ir::NodeSelector& selector(const Task& task) {
  auto& selected = settings(task).node_selector;
  if (!selected) selected.emplace();
  return *selected;
}

}  // namespace

Task pod_label(const Task& task, const std::string& key, const std::string& value) {
  check_name(task, "pod label", key);
  metadata(task).labels[key] = value;
  return task;
}

Task pod_annotation(const Task& task, const std::string& key, const std::string& value) {
  check_name(task, "pod annotation", key);
  metadata(task).annotations[key] = value;
  return task;
}

Task node_selector(const Task& task, const std::string& key, const std::string& value) {
  check_name(task, "node selector", key);
  selector(task).labels[key] = value;
  return task;
}

Task node_selector(const Task& task, const Value& labels) {
  ir::TaskInputParameter json = json_parameter(task, "node selector", labels, false);
  selector(task).node_selector_json = std::move(json);
  return task;
}

Task toleration(const Task& task, const TolerationOptions& options) {
  ir::Toleration result{.toleration_seconds = options.seconds};
  if (!options.operator_.empty())
    check_choice(task, "toleration", options.operator_, std::array{"Equal", "Exists"});
  if (!options.effect.empty())
    check_choice(task, "toleration", options.effect,
                 std::array{"NoSchedule", "PreferNoSchedule", "NoExecute"});
  if (options.key.empty() && options.operator_ != "Exists")
    refuse_setting(task, "toleration", "has no key",
                   R"(without one, .operator_ = "Exists" tolerates everything)");
  if (options.operator_ == "Exists" && !options.value.empty())
    refuse_setting(task, "toleration",
                   fmt::format("cannot have the value \"{}\" with the operator Exists", options.value));
  if (!options.key.empty()) result.key = options.key;
  if (!options.operator_.empty()) result.operator_ = options.operator_;
  if (!options.value.empty()) result.value = options.value;
  if (!options.effect.empty()) result.effect = options.effect;
  settings(task).tolerations.push_back(std::move(result));
  return task;
}

Task toleration(const Task& task, const Value& json) {
  settings(task).tolerations.push_back({.toleration_json = json_parameter(task, "toleration", json, true)});
  return task;
}

Task node_affinity(const Task& task, const NodeAffinityOptions& options) {
  check_weight(task, "node affinity", options.weight);
  if (options.expressions.empty() && options.fields.empty())
    refuse_setting(task, "node affinity", "has no requirements");
  settings(task).node_affinity.push_back(
      {.match_expressions = requirements(task, "node affinity", options.expressions),
       .match_fields = requirements(task, "node affinity", options.fields),
       .weight = options.weight});
  return task;
}

Task node_affinity(const Task& task, const Value& json) {
  auto& terms = settings(task).node_affinity;
  ir::NodeAffinityTerm term{.node_affinity_json = json_parameter(task, "node affinity", json, false)};
  std::erase_if(terms,
                [](const ir::NodeAffinityTerm& other) { return other.node_affinity_json.has_value(); });
  terms.push_back(std::move(term));
  return task;
}

Task pod_affinity(const Task& task, const PodAffinityOptions& options) {
  return add_pod_affinity(task, options, false);
}
Task pod_anti_affinity(const Task& task, const PodAffinityOptions& options) {
  return add_pod_affinity(task, options, true);
}

Task timeout(const Task& task, std::int64_t seconds) {
  if (seconds < 0) refuse_setting(task, "timeout", fmt::format("cannot be {} s", seconds));
  auto& limit = settings(task).active_deadline_seconds;
  limit = seconds > 0 ? std::optional(seconds) : std::nullopt;
  return task;
}

Task security_context(const Task& task, const SecurityOptions& options) {
  if (!options.user && !options.group && !options.non_root)
    refuse_setting(task, "security context", "sets nothing");
  if (options.user.value_or(0) < 0 || options.group.value_or(0) < 0)
    refuse_setting(task, "security context", "has a negative user or group");
  auto& context = settings(task).security_context;
  if (!context) context.emplace();
  if (options.user) context->run_as_user = options.user;
  if (options.group) context->run_as_group = options.group;
  if (options.non_root) context->run_as_non_root = options.non_root;
  return task;
}

}  // namespace kfp::dsl::kubernetes
