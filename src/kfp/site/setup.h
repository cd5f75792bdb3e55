#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace core {
class JsonPlace;
}

namespace kfp {

/// A PersistentVolumeClaim.
struct VolumeClaim {
  std::string size;  ///< "20Gi"
  std::vector<std::string> access_modes = {
      "ReadWriteMany"};       ///< several nodes write to the store of a pipeline
  std::string storage_class;  ///< empty = the cluster's default
  std::string volume;         ///< name of an existing volume; empty = any

  template <class V>
  void describe(V& v) {
    v("size", size, {.required = true});
    v("access_modes", access_modes,
      {.choices = {"ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"}});
    v("storage_class", storage_class);
    v("volume", volume);
  }
};

/// A ConfigMap: values, and files of this machine by key.
struct ConfigMapContent {
  std::map<std::string, std::string> data, files;

  template <class V>
  void describe(V& v) {
    v("data", data);
    v("files", files);
  }
};

/// A rule of a role, as Kubernetes has it.
struct RoleRule {
  std::vector<std::string> api_groups = {""}, resources, resource_names, verbs;

  template <class V>
  void describe(V& v) {
    v("api_groups", api_groups);
    v("resources", resources, {.required = true});
    v("resource_names", resource_names);
    v("verbs", verbs, {.required = true});
  }
};

/// A ServiceAccount with a role of its own, and bindings to existing roles.
struct ServiceAccountRoles {
  std::vector<RoleRule> rules;
  std::vector<std::string> roles, cluster_roles;
  std::vector<std::string> image_pull_secrets;

  template <class V>
  void describe(V& v) {
    v("rules", rules);
    v("roles", roles);
    v("cluster_roles", cluster_roles);
    v("image_pull_secrets", image_pull_secrets);
  }
};

/// A CronJob that renews the ticket in the secret (`calopipe kubeflow kerberos renew`).
struct TicketRenewal {
  std::string schedule = "0 */4 * * *";  ///< of cron
  std::string image;                     ///< empty = the site's
  std::string krb5_config_map;           ///< with the key krb5.conf; empty = that of the image

  template <class V>
  void describe(V& v) {
    v("schedule", schedule);
    v("image", image);
    v("krb5_config_map", krb5_config_map);
  }
};

/// The secret with a Kerberos ticket.
struct KerberosSecret {
  std::string secret = "krb-secret";
  std::string key = "krb5cc_1000";
  std::optional<TicketRenewal> renew;

  template <class V>
  void describe(V& v) {
    v("secret", secret);
    v("key", key);
    v("renew", renew);
  }
};

/// Objects of Kubernetes that the pipelines of a site need, as the site file's field `setup` declares them.
struct SiteSetup {
  std::string name = "calopipe";  ///< distinguishes several setups in a namespace
  std::string name_space;         ///< "namespace"; empty = that of the kubeconfig's context
  std::map<std::string, VolumeClaim> volume_claims;
  std::map<std::string, ConfigMapContent> config_maps;
  std::map<std::string, ServiceAccountRoles> service_accounts;
  std::optional<KerberosSecret> kerberos;

  template <class V>
  void describe(V& v) {
    v("name", name);
    v("namespace", name_space);
    v("volume_claims", volume_claims);
    v("config_maps", config_maps);
    v("service_accounts", service_accounts);
    v("kerberos", kerberos);
  }

  /// @throws core::InputError with the field (unknown fields, names that Kubernetes refuses, sizes)
  void read(const nlohmann::json& value, core::JsonPlace& place);
};

/// The declared objects as Kubernetes has them. Files of config maps are relative to the folder of `source`.
/// @param image  for the CronJob if it has none of its own
/// @throws core::InputError (missing files, no image)
std::vector<nlohmann::json> setup_objects(const SiteSetup& setup, const std::string& image,
                                          const std::filesystem::path& source);

/// An object that pods refer to by its name.
struct NeededObject {
  std::string kind;  ///< "Secret", "ConfigMap", "PersistentVolumeClaim", "ServiceAccount"
  std::string name;
  auto operator<=>(const NeededObject&) const = default;  // NOLINT(modernize-use-nullptr): as in inspect
};

/// The objects that settings of a component refer to (KubernetesExecutorConfig); optional ones are left out.
std::vector<NeededObject> needed_by_executor(const nlohmann::json& kubernetes);
/// The same for settings of plain Argo Workflows.
std::vector<NeededObject> needed_by_argo(const nlohmann::json& argo);

}  // namespace kfp
