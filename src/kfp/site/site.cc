#include "kfp/site/site.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/error.h"
#include "kfp/component/field.h"
#include "kfp/ir/document.h"
#include "kfp/ir/quantity.h"
#include "kfp/yaml/yaml.h"

namespace kfp {
namespace {

using nlohmann::json;

const std::vector<std::string> kTopFields = {"image",      "pipeline_root", "defaults",
                                             "components", "pipeline",      "argo"};
const std::vector<std::string> kComponentFields = {"image",      "env",   "resources",         "cache",
                                                   "kubernetes", "retry", "image_pull_secrets"};
const std::vector<std::string> kResourceFields = {"cpu_request", "cpu_limit", "memory_request",
                                                  "memory_limit", "accelerator"};

// Reads with the file and the place in it for errors.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& source) : source_(source) {}

  [[noreturn]] void fail(const std::string& place, std::string message, std::string hint = "") const {
    throw core::InputError(
        {.message = std::move(message), .file = source_, .field = place, .hint = std::move(hint)});
  }
  const json& object(const json& value, const std::string& place) const {
    static const json kEmpty = json::object();
    if (value.is_null()) return kEmpty;
    if (!value.is_object()) fail(place, "is not a mapping");
    return value;
  }
  void known(const json& value, const std::string& place, const std::vector<std::string>& names) const {
    for (const auto& [name, unused] : object(value, place).items()) {
      if (std::find(names.begin(), names.end(), name) != names.end()) continue;
      const std::string near = nearest(name, names);
      fail(place.empty() ? name : place + '.' + name,
           near.empty() ? "is unknown" : fmt::format("is unknown, did you mean {}?", near),
           fmt::format("known: {}", fmt::join(names, ", ")));
    }
  }
  // A text; numbers are taken as written, since `cpu_limit: 2` is natural.
  std::string text(const json& value, const std::string& place) const {
    if (value.is_number()) return value.dump();
    if (!value.is_string()) fail(place, "is not a text", "write it in quotes");
    return value.get<std::string>();
  }

 private:
  const std::filesystem::path& source_;
};

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

ir::KubernetesExecutorConfig parse(const json& kubernetes, const std::filesystem::path& source) {
  const json document = {
      {"platforms", {{"kubernetes", {{"deploymentSpec", {{"executors", {{"x", kubernetes}}}}}}}}}};
  return ir::platform_spec_from_json(document, source)
      .platforms->kubernetes->deployment_spec->executors.at("x");
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

Site::Settings Site::read_settings(const json& values, const std::string& place) const {
  const Reader reader(source_);
  const auto at = [&](const char* name) { return place + '.' + name; };
  reader.known(values, place, kComponentFields);
  Settings settings;
  if (values.contains("image")) settings.image = reader.text(values["image"], at("image"));
  if (values.contains("kubernetes"))
    settings.kubernetes = reader.object(values["kubernetes"], at("kubernetes"));
  if (values.contains("image_pull_secrets")) {
    const json& names = values["image_pull_secrets"];
    if (!names.is_array()) reader.fail(at("image_pull_secrets"), "is not a list of names");
    for (const json& name : names)
      settings.kubernetes["imagePullSecret"].push_back(
          {{"secretName", reader.text(name, at("image_pull_secrets"))}});
  }
  complete(settings.kubernetes);
  try {
    parse(settings.kubernetes, source_);
  } catch (const core::InputError& error) {
    core::ErrorDetails details = error.details();
    const std::string inside = "platforms.kubernetes.deploymentSpec.executors.x";
    details.field =
        at("kubernetes") + (details.field.starts_with(inside) ? details.field.substr(inside.size()) : "");
    throw core::InputError(details);
  }
  if (values.contains("env"))
    for (const auto& [name, value] : reader.object(values["env"], at("env")).items())
      settings.env[name] = reader.text(value, at("env") + '.' + name);
  if (values.contains("resources")) {
    reader.known(values["resources"], at("resources"), kResourceFields);
    for (const auto& [name, value] : values["resources"].items()) {
      const std::string where = at("resources") + '.' + name;
      if (name == "accelerator") {
        reader.known(value, where, {"type", "count"});
        const json count = value.value("count", json(1));
        if (!value.contains("type") || !count.is_number_integer() || count < 1)
          reader.fail(where, "needs a type and a count", "accelerator: {type: nvidia.com/gpu, count: 1}");
        settings.resources[name] = {{"type", reader.text(value["type"], where + ".type")}, {"count", count}};
        continue;
      }
      const std::string quantity = reader.text(value, where);
      const bool cpu = name.starts_with("cpu");
      if (!(cpu ? ir::cpu_cores(quantity) : ir::memory_bytes(quantity)))
        reader.fail(where, fmt::format("cannot be \"{}\"", quantity),
                    cpu ? "cores, as 2 or 500m" : "bytes, as 4Gi or 500M");
      settings.resources[name] = quantity;
    }
  }
  if (values.contains("cache")) {
    if (!values["cache"].is_boolean()) reader.fail(at("cache"), "is neither true nor false");
    settings.cache = values["cache"].get<bool>();
  }
  if (values.contains("retry")) {
    const json& retry = values["retry"];
    reader.known(retry, at("retry"), {"count", "backoff_s", "factor", "max_s"});
    const auto number = [&](const char* name, double standard) {
      const json value = retry.value(name, json(standard));
      if (!value.is_number() || value < 0)
        reader.fail(at("retry") + '.' + name, "is not a number of at least 0");
      return value.get<double>();
    };
    settings.retry =
        ir::RetryPolicy{.max_retry_count = static_cast<std::int32_t>(number("count", 0)),
                        .backoff_duration = ir::Duration{fmt::format("{}s", number("backoff_s", 0))},
                        .backoff_factor = number("factor", 2),
                        .backoff_max_duration = ir::Duration{fmt::format("{}s", number("max_s", 3600))}};
  }
  return settings;
}

Site Site::from_json(const json& values, const std::filesystem::path& source,
                     const std::vector<std::string>& components) {
  Site site;
  site.source_ = source;
  const Reader reader(source);
  reader.known(values, "", kTopFields);
  const json& top = reader.object(values, "");
  if (top.contains("image")) site.image_ = reader.text(top["image"], "image");
  if (top.contains("pipeline_root")) site.pipeline_root_ = reader.text(top["pipeline_root"], "pipeline_root");
  if (top.contains("defaults"))
    site.defaults_ = site.read_settings(reader.object(top["defaults"], "defaults"), "defaults");
  if (top.contains("components")) {
    if (!components.empty()) reader.known(top["components"], "components", components);
    for (const auto& [name, settings] : reader.object(top["components"], "components").items())
      site.components_[name] = site.read_settings(settings, "components." + name);
  }
  if (top.contains("pipeline")) {
    site.pipeline_config_ = reader.object(top["pipeline"], "pipeline");
    try {
      ir::platform_spec_from_json(
          {{"platforms", {{"kubernetes", {{"pipelineConfig", site.pipeline_config_}}}}}}, source);
    } catch (const core::InputError& error) {
      core::ErrorDetails details = error.details();
      const std::string inside = "platforms.kubernetes.pipelineConfig";
      if (details.field.starts_with(inside)) details.field = "pipeline" + details.field.substr(inside.size());
      throw core::InputError(details);
    }
  }
  if (top.contains("argo")) site.argo_ = reader.object(top["argo"], "argo");
  return site;
}

Site Site::read(const std::filesystem::path& file, const std::vector<std::string>& components) {
  return from_json(read_yaml(file), file, components);
}

void Site::lay_over(const Settings& settings, ir::Container& container, json& kubernetes) {
  if (!settings.image.empty()) container.image = settings.image;
  for (const auto& [name, value] : settings.env.items()) {
    const auto same = [&](const ir::EnvVar& variable) { return variable.name == name; };
    std::erase_if(container.env, same);
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
