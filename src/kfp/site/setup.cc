#include "kfp/site/setup.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <utility>

#include "core/json_reader.h"
#include "core/staged_output.h"
#include "kfp/ir/quantity.h"

namespace kfp {
namespace {

using nlohmann::json;

// Limit of Kubernetes for the data of a config map.
constexpr std::size_t kMostConfigBytes = 1U << 20;

// A name of an object: lower-case letters, digits, "-" and "." inside.
bool is_object_name(const std::string& name) {
  const auto is_end = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= 253 && is_end(name.front()) && is_end(name.back()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return is_end(c) || c == '-' || c == '.'; });
}

bool is_key(const std::string& key) {
  return !key.empty() && key.size() <= 253 && key != "." && key != ".." &&
         std::all_of(key.begin(), key.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
         });
}

void check_name(const std::string& name, core::JsonPlace& place, const std::string& field) {
  const core::JsonPlace::Step step(place, field);
  if (!is_object_name(name))
    place.fail(fmt::format("cannot be \"{}\"", name),
               "names of Kubernetes have lower-case letters, digits, - and .");
}

void check_key(const std::string& key, core::JsonPlace& place, const std::string& field) {
  const core::JsonPlace::Step step(place, field);
  if (!is_key(key))
    place.fail(fmt::format("cannot have the key \"{}\"", key), "keys have letters, digits, -, _ and .");
}

json object(const char* api_version, const char* kind, const std::string& name) {
  return {{"apiVersion", api_version}, {"kind", kind}, {"metadata", {{"name", name}}}};
}

json claim_object(const std::string& name, const VolumeClaim& claim) {
  json made = object("v1", "PersistentVolumeClaim", name);
  made["spec"] = {{"accessModes", claim.access_modes},
                  {"resources", {{"requests", {{"storage", claim.size}}}}}};
  if (!claim.storage_class.empty()) made["spec"]["storageClassName"] = claim.storage_class;
  if (!claim.volume.empty()) made["spec"]["volumeName"] = claim.volume;
  return made;
}

json config_map_object(const std::string& name, const ConfigMapContent& content,
                       const std::filesystem::path& source) {
  json made = object("v1", "ConfigMap", name);
  made["data"] = content.data;
  std::size_t bytes = 0;
  for (const auto& [key, file] : content.files)
    made["data"][key] = core::read_file(std::filesystem::absolute(source).parent_path() / file);
  for (const auto& [key, value] : made["data"].items())
    bytes += key.size() + value.get_ref<const std::string&>().size();
  if (bytes > kMostConfigBytes)
    throw core::InputError({.message = "has more than 1 MiB, which Kubernetes does not store",
                            .file = source,
                            .field = "setup.config_maps." + name});
  try {
    made.dump();
  } catch (const json::exception&) {
    throw core::InputError({.message = "has a file that is not text (UTF-8)",
                            .file = source,
                            .field = "setup.config_maps." + name});
  }
  return made;
}

json role_object(const std::string& name, const std::vector<RoleRule>& rules) {
  json made = object("rbac.authorization.k8s.io/v1", "Role", name);
  for (const RoleRule& rule : rules) {
    json one = {{"apiGroups", rule.api_groups}, {"resources", rule.resources}, {"verbs", rule.verbs}};
    if (!rule.resource_names.empty()) one["resourceNames"] = rule.resource_names;
    made["rules"].push_back(std::move(one));
  }
  return made;
}

json binding_object(const std::string& account, const char* kind, const std::string& role) {
  // The role of a binding cannot be changed, so that each has its own.
  const std::string name = role == account ? account : fmt::format("{}-{}", account, role);
  json made = object("rbac.authorization.k8s.io/v1", "RoleBinding", name);
  made["roleRef"] = {{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", kind}, {"name", role}};
  made["subjects"] = {{{"kind", "ServiceAccount"}, {"name", account}}};
  return made;
}

void add_account(const std::string& name, const ServiceAccountRoles& account, std::vector<json>& objects) {
  json made = object("v1", "ServiceAccount", name);
  for (const std::string& secret : account.image_pull_secrets)
    made["imagePullSecrets"].push_back({{"name", secret}});
  objects.push_back(std::move(made));
  if (!account.rules.empty()) {
    objects.push_back(role_object(name, account.rules));
    objects.push_back(binding_object(name, "Role", name));
  }
  for (const std::string& role : account.roles) objects.push_back(binding_object(name, "Role", role));
  for (const std::string& role : account.cluster_roles)
    objects.push_back(binding_object(name, "ClusterRole", role));
}

json renewal_object(const KerberosSecret& kerberos, const std::string& account, const std::string& image) {
  const TicketRenewal& renewal = *kerberos.renew;
  json container = {
      {"name", "renew"},
      {"image", image},
      {"args", {"kubeflow", "kerberos", "renew", "--secret", kerberos.secret, "--key", kerberos.key}},
      {"resources", {{"requests", {{"cpu", "10m"}, {"memory", "32Mi"}}}, {"limits", {{"memory", "128Mi"}}}}},
      {"securityContext",
       {{"allowPrivilegeEscalation", false},
        {"runAsNonRoot", true},
        {"seccompProfile", {{"type", "RuntimeDefault"}}},
        {"capabilities", {{"drop", {"ALL"}}}}}},
      {"volumeMounts", {{{"name", "tmp"}, {"mountPath", "/tmp"}}}}};
  // The ticket is only in memory.
  json volumes = {{{"name", "tmp"}, {"emptyDir", {{"medium", "Memory"}, {"sizeLimit", "16Mi"}}}}};
  if (!renewal.krb5_config_map.empty()) {
    volumes.push_back({{"name", "krb5"}, {"configMap", {{"name", renewal.krb5_config_map}}}});
    container["volumeMounts"].push_back({{"name", "krb5"}, {"mountPath", "/kfp/krb5"}, {"readOnly", true}});
    container["env"] = {{{"name", "KRB5_CONFIG"}, {"value", "/kfp/krb5/krb5.conf"}}};
  }
  json made = object("batch/v1", "CronJob", account);
  made["spec"] = {{"schedule", renewal.schedule},
                  {"concurrencyPolicy", "Forbid"},
                  {"successfulJobsHistoryLimit", 1},
                  {"failedJobsHistoryLimit", 3},
                  {"jobTemplate",
                   {{"spec",
                     {{"backoffLimit", 3},
                      {"activeDeadlineSeconds", 600},
                      {"template",
                       {{"metadata",
                         {{"labels", {{"app.kubernetes.io/name", account}}},
                          {"annotations", {{"sidecar.istio.io/inject", "false"}}}}},
                        {"spec",
                         {{"serviceAccountName", account},
                          {"restartPolicy", "Never"},
                          {"containers", json::array({container})},
                          {"volumes", volumes}}}}}}}}}};
  return made;
}

void add_kerberos(const KerberosSecret& kerberos, const std::string& site_image,
                  const std::filesystem::path& source, std::vector<json>& objects) {
  // Without data: those belong to `calopipe kubeflow kerberos push`, and setup leaves them alone.
  objects.push_back(object("v1", "Secret", kerberos.secret));
  objects.back()["type"] = "Opaque";
  if (!kerberos.renew) return;
  const std::string image = kerberos.renew->image.empty() ? site_image : kerberos.renew->image;
  if (image.empty())
    throw core::InputError({.message = "needs an image",
                            .file = source,
                            .field = "setup.kerberos.renew",
                            .hint = "set it here, or the image of the site"});
  const std::string account = kerberos.secret + "-renewal";
  add_account(
      account,
      {.rules = {{.resources = {"secrets"}, .resource_names = {kerberos.secret}, .verbs = {"get", "patch"}}}},
      objects);
  objects.push_back(renewal_object(kerberos, account, image));
}

void check_distinct(const std::vector<json>& objects, const std::filesystem::path& source) {
  std::set<std::string> names;
  for (const json& one : objects) {
    const std::string name =
        fmt::format("{} {}", one["kind"].get<std::string>(), one["metadata"]["name"].get<std::string>());
    if (!names.insert(name).second)
      throw core::InputError({.message = "makes two objects " + name,
                              .file = source,
                              .field = "setup",
                              .hint = "rename a service account or a role"});
  }
}

void add_need(std::vector<NeededObject>& needs, const char* kind, const json& name) {
  if (name.is_string() && !name.get_ref<const std::string&>().empty()) needs.push_back({kind, name});
}

}  // namespace

void SiteSetup::read(const json& value, core::JsonPlace& place) {
  core::JsonFields fields(value, place);
  describe(fields);
  fields.done();
  check_name(name, place, "name");
  if (!name_space.empty()) check_name(name_space, place, "namespace");
  for (const auto& [claim, settings] : volume_claims) {
    check_name(claim, place, "volume_claims");
    const core::JsonPlace::Step step(place, "volume_claims." + claim + ".size");
    const std::optional<double> bytes = ir::memory_bytes(settings.size);
    if (!bytes || *bytes <= 0) place.fail(fmt::format("cannot be \"{}\"", settings.size), "bytes, as 20Gi");
  }
  for (const auto& [map, content] : config_maps) {
    check_name(map, place, "config_maps");
    const std::string field = "config_maps." + map;
    for (const auto& [key, text] : content.data) check_key(key, place, field);
    for (const auto& [key, file] : content.files) {
      check_key(key, place, field);
      if (content.data.contains(key)) {
        const core::JsonPlace::Step step(place, field);
        place.fail(fmt::format("has the key \"{}\" twice", key));
      }
    }
  }
  for (const auto& [account, roles] : service_accounts) check_name(account, place, "service_accounts");
  if (!kerberos) return;
  check_name(kerberos->secret, place, "kerberos.secret");
  check_key(kerberos->key, place, "kerberos.key");
}

std::vector<json> setup_objects(const SiteSetup& setup, const std::string& image,
                                const std::filesystem::path& source) {
  std::vector<json> objects;
  for (const auto& [name, claim] : setup.volume_claims) objects.push_back(claim_object(name, claim));
  for (const auto& [name, content] : setup.config_maps)
    objects.push_back(config_map_object(name, content, source));
  for (const auto& [name, account] : setup.service_accounts) add_account(name, account, objects);
  if (setup.kerberos) add_kerberos(*setup.kerberos, image, source, objects);
  check_distinct(objects, source);
  return objects;
}

std::vector<NeededObject> needed_by_executor(const json& kubernetes) {
  static constexpr std::array<const char*, 3> kReferences[] = {
      {"secretAsVolume", "secretName", "Secret"},       {"secretAsEnv", "secretName", "Secret"},
      {"imagePullSecret", "secretName", "Secret"},      {"configMapAsVolume", "configMapName", "ConfigMap"},
      {"configMapAsEnv", "configMapName", "ConfigMap"}, {"pvcMount", "constant", "PersistentVolumeClaim"}};
  std::vector<NeededObject> needs;
  for (const auto& [list, field, kind] : kReferences) {
    if (!kubernetes.contains(list) || !kubernetes[list].is_array()) continue;
    for (const json& one : kubernetes[list])
      if (one.is_object() && one.value("optional", json()) != true)
        add_need(needs, kind, one.value(field, json()));
  }
  return needs;
}

std::vector<NeededObject> needed_by_argo(const json& argo) {
  std::vector<NeededObject> needs;
  const auto at = [&](const char* place) -> json {
    const json::json_pointer pointer(place);
    return argo.contains(pointer) ? argo.at(pointer) : json();
  };
  add_need(needs, "PersistentVolumeClaim", at("/volume/claim"));
  add_need(needs, "ServiceAccount", at("/service_account"));
  add_need(needs, "Secret", at("/s3/access_key/name"));
  add_need(needs, "Secret", at("/s3/secret_key/name"));
  if (const json kerberos = at("/kerberos"); kerberos.is_object())
    add_need(needs, "Secret", kerberos.value("secret", json("krb-secret")));
  for (const json& name : at("/image_pull_secrets")) add_need(needs, "Secret", name);
  for (const json& volume : at("/secret_volumes"))
    if (volume.is_object() && volume.value("optional", json()) != true)
      add_need(needs, "Secret", volume.value("secret", json()));
  return needs;
}

}  // namespace kfp
