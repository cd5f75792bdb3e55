#include "kfp/component/executor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "core/staged_output.h"

namespace kfp {
namespace {

using nlohmann::json;

constexpr const char* kWorkspace = "/kfp-workspace/.artifacts";
// An output that no component declares: the launcher stores the log there (PUBLISH_LOGS, on by default).
constexpr const char* kLogs = "executor-logs";

// The value under a chain of keys; null if it is absent. The reference is valid as long as `value`.
const json& at(const json& value, std::initializer_list<const char*> keys) {
  static const json kAbsent;
  const json* current = &value;
  for (const char* key : keys) {
    if (!current->is_object() || !current->contains(key)) return kAbsent;
    current = &current->at(key);
  }
  return *current;
}

const json& object_at(const json& value, std::initializer_list<const char*> keys) {
  static const json kEmpty = json::object();
  const json& found = at(value, keys);
  if (found.is_null()) return kEmpty;
  if (!found.is_object())
    throw core::InputError(
        {.message = fmt::format("\"{}\" must be a mapping", *(keys.end() - 1)), .field = "executor-input"});
  return found;
}

// The only artifact of an input or output; null if the list is empty.
const json& only_artifact(const std::string& name, const json& holder) {
  static const json kNone;
  const json& list = at(holder, {"artifacts"});
  if (list.is_null() || (list.is_array() && list.empty())) return kNone;
  if (!list.is_array() || !list[0].is_object() || !list[0].contains("uri") || !list[0]["uri"].is_string())
    throw core::InputError(
        {.message = "must be a list of artifacts with URIs", .field = "executor-input." + name});
  if (list.size() > 1)
    throw core::InputError({.message = fmt::format("has {} artifacts", list.size()),
                            .field = "executor-input." + name,
                            .hint = "a component accepts one"});
  return list[0];
}

std::filesystem::path path_of(const json& artifact) {
  if (const json& custom = at(artifact, {"customPath"}); custom.is_string() && custom != "")
    return custom.get<std::string>();
  return local_path_of(artifact.at("uri").get<std::string>(), at(artifact, {"metadata"}));
}

// Removes values that the launcher's strict parser rejects: null, NaN and infinities.
json finite(const json& value) {
  if (value.is_number_float() && !std::isfinite(value.get<double>())) return nullptr;
  if (!value.is_structured()) return value;
  json kept = value.is_array() ? json::array() : json::object();
  for (const auto& [name, element] : value.items()) {
    json inner = finite(element);
    if (inner.is_null()) continue;
    if (value.is_array())
      kept.push_back(std::move(inner));
    else
      kept[name] = std::move(inner);
  }
  return kept;
}

}  // namespace

std::filesystem::path local_path_of(const std::string& uri, const json& metadata) {
  static constexpr std::pair<const char*, const char*> kMounts[] = {
      {"gs://", "/gcs/"}, {"s3://", "/s3/"}, {"minio://", "/minio/"}, {"file://", ""}};
  std::string path;
  for (const auto& [scheme, folder] : kMounts)
    if (uri.starts_with(scheme)) path = folder + uri.substr(std::string_view(scheme).size());
  if (uri.starts_with("oci://")) {
    path = uri.substr(6);
    std::replace(path.begin(), path.end(), '/', '_');
    path = "/oci/" + path + "/models";
  }
  if (path.empty()) {
    if (uri.find("://") != std::string::npos)
      throw core::InputError({.message = fmt::format("\"{}\" has a scheme that is not mounted here", uri),
                              .field = "executor-input",
                              .hint = "known: gs, s3, minio, oci, file"});
    path = uri;
  }
  if (at(metadata, {"_kfp_workspace"}) == true)
    path = kWorkspace + (path.starts_with('/') ? path : '/' + path);
  return path;
}

void apply_executor_input(Component& component, const json& input) {
  if (!input.is_object())
    throw core::InputError({.message = "must be a JSON object",
                            .field = "executor-input",
                            .hint = "pass {{$}}, which the launcher replaces by it"});
  json values = json::object();
  for (const auto& [name, value] : object_at(input, {"inputs", "parameterValues"}).items())
    if (!value.is_null()) values[name] = value;
  component.set_parameters(values);
  for (const auto& [name, holder] : object_at(input, {"inputs", "artifacts"}).items()) {
    const Field& field = component.field(name);
    if (field.kind != Field::Kind::kInput)
      throw core::UsageError({.message = "is not an input artifact", .field = name});
    if (const json& artifact = only_artifact(name, holder); !artifact.is_null())
      field.input->path = path_of(artifact);
  }
  for (const auto& [name, holder] : object_at(input, {"outputs", "artifacts"}).items()) {
    if (name == kLogs) continue;
    const Field& field = component.field(name);
    if (field.kind != Field::Kind::kOutput)
      throw core::UsageError({.message = "is not an output artifact", .field = name});
    if (const json& artifact = only_artifact(name, holder); !artifact.is_null())
      field.output->path = path_of(artifact);
  }
  for (const auto& [name, holder] : object_at(input, {"outputs", "parameters"}).items()) {
    if (component.field(name).kind != Field::Kind::kOutputParameter)
      throw core::UsageError({.message = "is not an output parameter", .field = name});
    const json& file = at(holder, {"outputFile"});
    if (file.is_string()) component.place_output_parameter(name, file.get<std::string>());
  }
}

void write_executor_output(const Component& component, const json& input) {
  const json& file = at(input, {"outputs", "outputFile"});
  if (!file.is_string()) return;
  json artifacts = json::object();
  for (const auto& [name, holder] : object_at(input, {"outputs", "artifacts"}).items()) {
    if (name == kLogs) continue;
    const json& given = only_artifact(name, holder);
    if (given.is_null()) continue;
    json artifact = {{"uri", given.at("uri")}, {"metadata", finite(component.field(name).output->metadata)}};
    if (given.contains("name")) artifact["name"] = given["name"];
    artifacts[name] = {{"artifacts", json::array({artifact})}};
  }
  core::write_file(file.get<std::string>(), json({{"artifacts", artifacts}}).dump());
}

}  // namespace kfp
