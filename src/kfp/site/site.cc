#include "kfp/site/site.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/json_reader.h"
#include "kfp/ir/document.h"
#include "kfp/ir/quantity.h"
#include "kfp/yaml/yaml.h"

namespace kfp {
namespace {

using nlohmann::json;

// A string; a number is taken as it is written, since `cpu_limit: 2` is natural.
struct Text {
  std::string value;

  void read(const json& given, core::JsonPlace& place) {
    if (given.is_number())
      value = given.dump();
    else
      core::read_json(value, given, place);
  }
};

struct Accelerator {
  Text type;
  std::int64_t count = 1;

  template <class V>
  void describe(V& v) {
    v("type", type, {.required = true});
    v("count", count, {.min = 1});
  }
};

struct Retry {
  int count = 0;
  double backoff_s = 0, factor = 2, max_s = 3600;

  template <class V>
  void describe(V& v) {
    v("count", count, {.min = 0});
    v("backoff_s", backoff_s, {.min = 0});
    v("factor", factor, {.min = 0});
    v("max_s", max_s, {.min = 0});
  }
};

json read_resources(const json& value, core::JsonPlace& place) {
  json resources = json::object();
  core::JsonFields fields(value, place);
  const auto quantity = [&](const char* name, std::optional<double> (*parse)(std::string_view),
                            const char* hint) {
    fields.by_hand(name, [&](const json& given, core::JsonPlace& at) {
      Text text;
      text.read(given, at);
      if (!parse(text.value)) at.fail(fmt::format("cannot be \"{}\"", text.value), hint);
      resources[name] = text.value;
    });
  };
  for (const char* name : {"cpu_request", "cpu_limit"}) quantity(name, ir::cpu_cores, "cores, as 2 or 500m");
  for (const char* name : {"memory_request", "memory_limit"})
    quantity(name, ir::memory_bytes, "bytes, as 4Gi or 500M");
  std::optional<Accelerator> accelerator;
  fields("accelerator", accelerator);
  if (accelerator)
    resources["accelerator"] = {{"type", accelerator->type.value}, {"count", accelerator->count}};
  fields.done();
  return resources;
}

// Adds `over` to `base`: maps are merged, lists joined, everything else replaced.
void merge(json& base, const json& over) {
  for (const auto& [name, value] : over.items()) {
    if (!base.contains(name) || base[name].type() != value.type() || !value.is_structured())
      base[name] = value;
    else if (value.is_array())
      base[name].insert(base[name].end(), value.begin(), value.end());
    else
      merge(base[name], value);
  }
}

json constant(const json& value) {
  return {{"runtimeValue", {{"constant", value}}}};
}

// Names of secrets, config maps and claims are written in the short, old form; the backend wants the new one,
// and the SDK writes both.
void complete(json& kubernetes) {
  static constexpr std::array<const char*, 3> kForms[] = {
      {"secretAsVolume", "secretName", "secretNameParameter"},
      {"secretAsEnv", "secretName", "secretNameParameter"},
      {"imagePullSecret", "secretName", "secretNameParameter"},
      {"configMapAsVolume", "configMapName", "configMapNameParameter"},
      {"configMapAsEnv", "configMapName", "configMapNameParameter"},
      {"pvcMount", "constant", "pvcNameParameter"}};
  for (const auto& [list, old_name, new_name] : kForms) {
    if (!kubernetes.contains(list) || !kubernetes[list].is_array()) continue;
    for (json& element : kubernetes[list])
      if (element.is_object() && element.contains(old_name) && !element.contains(new_name))
        element[new_name] = constant(element[old_name]);
  }
}

json executors_of(const ir::PlatformSpec& platform) {
  const json document = ir::to_json(platform);
  const json::json_pointer place("/platforms/kubernetes/deploymentSpec/executors");
  return document.contains(place) ? document.at(place) : json::object();
}

// "train" of "comp-train" and "comp-train-2".
std::string component_name(const std::string& key, const std::map<std::string, ir::ComponentSpec>& all) {
  std::string name = key.starts_with("comp-") ? key.substr(5) : key;
  const std::size_t dash = name.find_last_not_of("0123456789");
  if (dash != std::string::npos && dash + 1 < name.size() && name[dash] == '-' &&
      all.contains("comp-" + name.substr(0, dash)))
    name.resize(dash);
  return name;
}

}  // namespace

Site::Settings Site::read_settings(const json& values, core::JsonPlace& place) {
  Settings settings;
  Text image;
  std::vector<Text> pull_secrets;
  std::map<std::string, Text> env;
  std::optional<Retry> retry;
  core::JsonFields fields(values, place);
  fields("image", image);
  fields("env", env);
  fields.by_hand("resources", [&](const json& value, core::JsonPlace& at) {
    settings.resources = read_resources(value, at);
  });
  fields("cache", settings.cache);
  fields.by_hand("kubernetes", [&](const json& value, core::JsonPlace& at) {
    ir::check_kubernetes_executor(value, at);
    settings.kubernetes = value;
  });
  fields("retry", retry);
  fields("image_pull_secrets", pull_secrets);
  fields.done();
  settings.image = image.value;
  for (const auto& [name, text] : env) settings.env[name] = text.value;
  for (const Text& secret : pull_secrets)
    settings.kubernetes["imagePullSecret"].push_back({{"secretName", secret.value}});
  complete(settings.kubernetes);
  if (retry)
    settings.retry = ir::RetryPolicy{.max_retry_count = retry->count,
                                     .backoff_duration = ir::Duration{fmt::format("{}s", retry->backoff_s)},
                                     .backoff_factor = retry->factor,
                                     .backoff_max_duration = ir::Duration{fmt::format("{}s", retry->max_s)}};
  return settings;
}

Site Site::from_json(const json& values, const std::filesystem::path& source,
                     const std::vector<std::string>& components) {
  Site site;
  site.source_ = source;
  if (values.is_null()) return site;  // an empty file
  core::JsonPlace place(source);
  core::JsonFields fields(values, place);
  Text image, pipeline_root;
  fields("image", image);
  fields("pipeline_root", pipeline_root);
  fields.by_hand("defaults",
                 [&](const json& value, core::JsonPlace& at) { site.defaults_ = read_settings(value, at); });
  fields.by_hand("components", [&](const json& value, core::JsonPlace& at) {
    if (!value.is_object()) at.wrong_type(value, "a mapping");
    for (const auto& [name, settings] : value.items()) {
      if (!components.empty() && std::find(components.begin(), components.end(), name) == components.end())
        at.unknown_field(name, components);
      const core::JsonPlace::Step step(at, name);
      site.components_[name] = settings.is_null() ? Settings() : read_settings(settings, at);
    }
  });
  fields.by_hand("pipeline", [&](const json& value, core::JsonPlace& at) {
    ir::check_kubernetes_pipeline(value, at);
    site.pipeline_config_ = value;
  });
  fields.by_hand("argo", [&](const json& value, core::JsonPlace& at) {
    if (!value.is_object()) at.wrong_type(value, "a mapping");
    site.argo_ = value;
  });
  fields("setup", site.setup_);
  fields.done();
  site.image_ = image.value;
  site.pipeline_root_ = pipeline_root.value;
  return site;
}

Site Site::read(const std::filesystem::path& file, const std::vector<std::string>& components) {
  return from_json(read_yaml(file), file, components);
}

std::vector<json> Site::setup_objects() const {
  return kfp::setup_objects(setup_, image_, source_);
}

std::vector<NeededObject> Site::needed_objects() const {
  std::set<NeededObject> needs;
  const auto add = [&](const std::vector<NeededObject>& more) { needs.insert(more.begin(), more.end()); };
  add(needed_by_executor(defaults_.kubernetes));
  for (const auto& [name, settings] : components_) add(needed_by_executor(settings.kubernetes));
  add(needed_by_argo(argo_));
  return {needs.begin(), needs.end()};
}

KerberosSecret Site::kerberos() const {
  if (setup_.kerberos) return *setup_.kerberos;
  KerberosSecret kerberos;
  if (!argo_.contains("kerberos") || !argo_["kerberos"].is_object()) return kerberos;
  for (const auto& [name, member] : {std::pair("secret", &kerberos.secret), std::pair("key", &kerberos.key)})
    if (const json given = argo_["kerberos"].value(name, json()); given.is_string()) *member = given;
  return kerberos;
}

double Site::run_limit_s() const {
  const json limit = pipeline_config_.value("activeDeadlineSeconds", json());
  return limit.is_number() ? limit.get<double>() : 0;
}

void Site::lay_over(const Settings& settings, ir::Container& container, json& kubernetes) {
  if (!settings.image.empty()) container.image = settings.image;
  for (const auto& [name, value] : settings.env.items()) {
    const std::string& wanted = name;  // clang 14: no structured bindings in lambdas
    std::erase_if(container.env, [&](const ir::EnvVar& variable) { return variable.name == wanted; });
    container.env.push_back({.name = name, .value = value.get<std::string>()});
  }
  if (!settings.resources.empty() && !container.resources) container.resources.emplace();
  for (const auto& [name, value] : settings.resources.items()) {
    ir::Resources& resources = *container.resources;
    if (name == "accelerator") {
      const std::string type = value.at("type");
      const std::int64_t count = value.at("count");
      resources.accelerator = ir::Accelerator{
          .type = type, .count = count, .resource_type = type, .resource_count = std::to_string(count)};
      continue;
    }
    const std::string quantity = value;
    if (name == "cpu_request") {
      resources.resource_cpu_request = quantity;
      resources.cpu_request = ir::cpu_cores(quantity);
    } else if (name == "cpu_limit") {
      resources.resource_cpu_limit = quantity;
      resources.cpu_limit = ir::cpu_cores(quantity);
    } else if (name == "memory_request") {
      resources.resource_memory_request = quantity;
      resources.memory_request = *ir::memory_bytes(quantity) / 1e9;
    } else {
      resources.resource_memory_limit = quantity;
      resources.memory_limit = *ir::memory_bytes(quantity) / 1e9;
    }
  }
  merge(kubernetes, settings.kubernetes);
}

void Site::apply(ir::Pipeline& pipeline, const std::string& own_image) const {
  ir::PipelineSpec& spec = pipeline.spec;
  if (!pipeline_root_.empty()) spec.default_pipeline_root = pipeline_root_;
  json executors = pipeline.platform ? executors_of(*pipeline.platform) : json::object();
  std::map<std::string, const Settings*> task_settings;  // by component
  for (const auto& [key, component] : spec.components) {
    if (!component.executor_label || !spec.deployment_spec) continue;
    const auto executor = spec.deployment_spec->executors.find(*component.executor_label);
    if (executor == spec.deployment_spec->executors.end() || !executor->second.container) continue;
    ir::Container& container = *executor->second.container;
    if (container.image != own_image) continue;
    if (!image_.empty()) container.image = image_;
    json kubernetes = executors.value(*component.executor_label, json::object());
    lay_over(defaults_, container, kubernetes);
    const auto own = components_.find(component_name(key, spec.components));
    if (own != components_.end()) {
      lay_over(own->second, container, kubernetes);
      task_settings[key] = &own->second;
    }
    if (!task_settings.contains(key)) task_settings[key] = &defaults_;
    if (!kubernetes.empty()) executors[*component.executor_label] = kubernetes;
  }
  const auto set_tasks = [&](ir::ComponentSpec& component) {
    if (!component.dag) return;
    for (auto& [name, task] : component.dag->tasks) {
      if (!task.component_ref || !task.component_ref->name) continue;
      const auto found = task_settings.find(*task.component_ref->name);
      if (found == task_settings.end()) continue;
      const std::optional<bool> cache = found->second->cache ? found->second->cache : defaults_.cache;
      if (cache)
        task.caching_options =
            ir::CachingOptions{.enable_cache = *cache ? std::optional(true) : std::nullopt};
      const auto& retry = found->second->retry ? found->second->retry : defaults_.retry;
      if (retry) task.retry_policy = retry;
    }
  };
  for (auto& [key, component] : spec.components) set_tasks(component);
  if (spec.root) set_tasks(*spec.root);
  if (executors.empty() && pipeline_config_.empty()) return;
  json platform = pipeline.platform ? ir::to_json(*pipeline.platform) : json::object();
  json& kubernetes = platform["platforms"]["kubernetes"];
  if (!executors.empty()) kubernetes["deploymentSpec"]["executors"] = executors;
  if (!pipeline_config_.empty()) merge(kubernetes["pipelineConfig"], pipeline_config_);
  pipeline.platform = ir::platform_spec_from_json(platform, source_);
}

}  // namespace kfp
