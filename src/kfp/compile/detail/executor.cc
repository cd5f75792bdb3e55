#include "kfp/compile/detail/executor.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

namespace kfp::dsl::lowering {
namespace {

// Cores as a number.
double cores(const std::string& text) {
  const double number = std::strtod(text.c_str(), nullptr);
  return text.back() == 'm' ? number / 1000 : number;
}

// Bytes in units of 10^9, with the rounding of the SDK: multiply, then divide.
double gigabytes(const std::string& text) {
  const std::size_t unit = text.find_first_not_of("0123456789");
  const double number = std::strtod(text.c_str(), nullptr);
  if (unit == std::string::npos) return number / 1e9;
  const int power = static_cast<int>(std::string("KMGTPE").find(text[unit])) + 1;
  const bool binary = text.back() == 'i';
  if (!binary && power == 3) return number;
  return number * (binary ? std::ldexp(1.0, 10 * power) : std::pow(10.0, 3 * power)) / 1e9;
}

bool has_token(const std::string& text) {
  return text.find('\x1f') != std::string::npos;
}

void set_quantity(const std::optional<std::string>& text, const FillText& fill,
                  double (*number)(const std::string&), std::optional<std::string>& quantity,
                  std::optional<double>& deprecated) {
  if (!text) return;
  quantity = fill(*text);
  // For older backends, which support no values here.
  if (!has_token(*text) && number(*text) != 0) deprecated = number(*text);
}

std::optional<ir::Resources> resources_of(const graph::ResourceTexts& texts, const FillText& fill) {
  ir::Resources resources;
  set_quantity(texts.cpu_limit, fill, cores, resources.resource_cpu_limit, resources.cpu_limit);
  set_quantity(texts.cpu_request, fill, cores, resources.resource_cpu_request, resources.cpu_request);
  set_quantity(texts.memory_limit, fill, gigabytes, resources.resource_memory_limit, resources.memory_limit);
  set_quantity(texts.memory_request, fill, gigabytes, resources.resource_memory_request,
               resources.memory_request);
  if (texts.accelerator_count) {
    ir::Accelerator accelerator{.resource_type = fill(*texts.accelerator_type),
                                .resource_count = fill(*texts.accelerator_count)};
    if (!has_token(*texts.accelerator_type)) accelerator.type = *texts.accelerator_type;
    if (!has_token(*texts.accelerator_count)) {
      const std::int64_t count = std::strtoll(texts.accelerator_count->c_str(), nullptr, 10);
      if (count != 0) accelerator.count = count;
    }
    resources.accelerator = std::move(accelerator);
  }
  const bool any = texts.cpu_limit || texts.cpu_request || texts.memory_limit || texts.memory_request ||
                   texts.accelerator_count;
  return any ? std::optional(std::move(resources)) : std::nullopt;
}

// Calls `visit` with each input that Kubernetes settings use.
template <class Config, class Visit>
void for_each_input(Config& config, const Visit& visit) {
  const auto maybe = [&](auto& input) {
    if (input) visit(*input);
  };
  for (auto& secret : config.secret_as_volume) maybe(secret.secret_name_parameter);
  for (auto& secret : config.secret_as_env) maybe(secret.secret_name_parameter);
  for (auto& map : config.config_map_as_volume) maybe(map.config_map_name_parameter);
  for (auto& map : config.config_map_as_env) maybe(map.config_map_name_parameter);
  for (auto& secret : config.image_pull_secret) maybe(secret.secret_name_parameter);
  for (auto& mount : config.pvc_mount) maybe(mount.pvc_name_parameter);
  if (config.node_selector) maybe(config.node_selector->node_selector_json);
  for (auto& toleration : config.tolerations) maybe(toleration.toleration_json);
  for (auto& term : config.node_affinity) maybe(term.node_affinity_json);
  for (auto& claim : config.pod_resource_claims) maybe(claim.resource_claim_json);
}

bool is_token(const ir::TaskInputParameter& input) {
  return input.component_input_parameter && has_token(*input.component_input_parameter);
}

}  // namespace

ir::Container container_of(const graph::TaskNode& node, const FillText& fill) {
  const auto& component = std::get<ContainerComponent>(node.body);
  ir::Container container{.image = node.image ? fill(*node.image) : component.image,
                          .command = component.command,
                          .args = component.args,
                          .resources = resources_of(node.resources, fill),
                          .env = node.env};
  return container;
}

ir::Importer importer_of(const graph::ImporterSource& source) {
  ir::Importer importer{.type_schema =
                            ir::ArtifactTypeSchema{.schema_title = source.artifact.schema_title,
                                                   .schema_version = source.artifact.schema_version}};
  if (source.constant_uri)
    importer.artifact_uri = ir::ValueOrRuntimeParameter{.constant = *source.constant_uri};
  else
    importer.artifact_uri = ir::ValueOrRuntimeParameter{.runtime_parameter = "uri"};
  if (source.reimport) importer.reimport = true;
  if (!source.metadata.is_null()) importer.metadata = ir::JsonObject{source.metadata};
  if (source.download_to_workspace) importer.download_to_workspace = true;
  return importer;
}

ir::Duration duration_of(const std::string& span) {
  const std::size_t unit = span.find_first_of("smhdw");
  constexpr std::int64_t kSeconds[] = {1, 60, 3600, 86400, 604800};
  const std::int64_t number = std::strtoll(span.c_str(), nullptr, 10);
  return {fmt::format("{}s", number * kSeconds[std::string("smhdw").find(span[unit])])};
}

ir::KubernetesExecutorConfig resolved(
    ir::KubernetesExecutorConfig config,
    const std::function<ir::TaskInputParameter(const std::string& token)>& resolve) {
  for_each_input(config, [&](ir::TaskInputParameter& input) {
    if (is_token(input)) input = resolve(*input.component_input_parameter);
  });
  // The deprecated field for a volume's name has the same value.
  for (ir::PvcMount& mount : config.pvc_mount) {
    if (!mount.component_input_parameter || !has_token(*mount.component_input_parameter)) continue;
    const ir::TaskInputParameter& name = *mount.pvc_name_parameter;
    mount.component_input_parameter = name.component_input_parameter;
    mount.task_output_parameter = name.task_output_parameter;
  }
  return config;
}

std::vector<std::string> tokens_of(const ir::KubernetesExecutorConfig& config) {
  std::vector<std::string> tokens;
  for_each_input(config, [&](const ir::TaskInputParameter& input) {
    if (is_token(input)) tokens.push_back(*input.component_input_parameter);
  });
  return tokens;
}

}  // namespace kfp::dsl::lowering
