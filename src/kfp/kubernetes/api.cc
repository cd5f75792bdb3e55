#include "kfp/kubernetes/api.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"

namespace kfp::kubernetes {
namespace {

using nlohmann::json;

client::HttpOptions options_of(const Access& access, client::Retries retries) {
  client::HttpOptions options = http_options(access);
  options.retries = retries;
  options.call_timeout_s = 30;
  return options;
}

}  // namespace

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {
      {"ConfigMap", "v1", "configmaps"},
      {"Secret", "v1", "secrets"},
      {"PersistentVolumeClaim", "v1", "persistentvolumeclaims"},
      {"ServiceAccount", "v1", "serviceaccounts"},
      {"Role", "rbac.authorization.k8s.io/v1", "roles"},
      {"RoleBinding", "rbac.authorization.k8s.io/v1", "rolebindings"},
      {"CronJob", "batch/v1", "cronjobs"},
      {"Pod", "v1", "pods", false},
      {"TrainingRuntime", "trainer.kubeflow.org/v1alpha1", "trainingruntimes", false},
      {"TrainJob", "trainer.kubeflow.org/v1alpha1", "trainjobs", false},
      {"Experiment", "kubeflow.org/v1beta1", "experiments", false},
      {"Trial", "kubeflow.org/v1beta1", "trials", false},
  };
  return all;
}

const Kind& kind_of(const std::string& name) {
  const auto found =
      std::find_if(kinds().begin(), kinds().end(), [&](const Kind& kind) { return kind.name == name; });
  if (found == kinds().end())
    throw core::InputError(
        {.message = fmt::format("calopipe does not handle objects of the kind \"{}\"", name)});
  return *found;
}

std::string text_at(const json& object, const char* place) {
  const json::json_pointer pointer(place);
  return object.contains(pointer) && object.at(pointer).is_string() ? object.at(pointer).get<std::string>()
                                                                    : "";
}

ObjectName name_of(const json& object) {
  ObjectName name{text_at(object, "/kind"), text_at(object, "/metadata/name")};
  if (name.kind.empty() || name.name.empty())
    throw core::InputError({.message = "an object of Kubernetes has no kind or no name"});
  return name;
}

std::string to_string(const ObjectName& name) {
  return fmt::format("{} {}", name.kind, name.name);
}

Api::Api(const Access& access, client::Retries retries)
    : access_(access), http_(options_of(access, retries)) {}

std::string Api::path_of(const std::string& kind, const std::string& name) const {
  const Kind& known = kind_of(kind);
  const std::string version = known.api_version;
  std::string path =
      fmt::format("/{}/{}/namespaces/{}/{}", version.find('/') == std::string::npos ? "api" : "apis", version,
                  client::escaped(access_.namespace_name), known.plural);
  if (!name.empty()) path += "/" + client::escaped(name);
  return path;
}

std::string Api::version() {
  return text_at(http_.call({.path = "/version"}), "/gitVersion");
}

std::optional<json> Api::get(const ObjectName& name) {
  try {
    return http_.call({.path = path_of(name.kind, name.name)});
  } catch (const client::Refused& error) {
    if (error.status() == 404) return std::nullopt;
    throw;
  }
}

std::vector<json> Api::list(const std::string& kind, const std::string& labels) {
  std::vector<json> all;
  std::string next;
  do {
    const json page = http_.call(
        {.path = path_of(kind), .query = {{"labelSelector", labels}, {"limit", "200"}, {"continue", next}}});
    if (!page.contains("items") || !page["items"].is_array())
      throw core::InputError({.message = "answers without a list of objects", .file = access_.server});
    for (json item : page["items"]) {
      // Items of a list do not repeat what they are.
      item["kind"] = kind;
      item["apiVersion"] = kind_of(kind).api_version;
      all.push_back(std::move(item));
    }
    next = text_at(page, "/metadata/continue");
  } while (!next.empty());
  return all;
}

json Api::apply(const json& object, const ApplyOptions& options) {
  const ObjectName name = name_of(object);
  try {
    return http_.call({.method = "PATCH",
                       .path = path_of(name.kind, name.name),
                       .query = {{"fieldManager", options.manager},
                                 {"force", options.force ? "true" : ""},
                                 {"dryRun", options.dry_run ? "All" : ""}},
                       .body = object,
                       .content_type = "application/apply-patch+yaml",
                       .idempotent = true});
  } catch (const client::Refused& error) {
    core::ErrorDetails details = error.details();
    details.field = to_string(name);
    throw client::Refused(error.status(), std::move(details));
  }
}

bool Api::remove(const ObjectName& name, const std::string& uid) {
  try {
    http_.call({.method = "DELETE",
                .path = path_of(name.kind, name.name),
                .body = {{"apiVersion", "v1"},
                         {"kind", "DeleteOptions"},
                         {"propagationPolicy", "Background"},
                         {"preconditions", {{"uid", uid}}}},
                .idempotent = true});
    return true;
  } catch (const client::Refused& error) {
    // 409: another object has the name now, which is not the one to delete.
    if (error.status() == 404 || error.status() == 409) return false;
    throw;
  }
}

}  // namespace kfp::kubernetes
