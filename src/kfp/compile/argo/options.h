#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

/// Compiles pipelines to Argo Workflows (argoproj.io/v1alpha1), for clusters without Kubeflow Pipelines.
namespace kfp::argo {

/// Artifacts pass through a volume that every pod mounts, at
/// `<mount_path>/<workflow name>/<path of the task>/<output>`. Of `claim` and `host_path` one is set. The
/// kubelet makes the folders, with the permissions of the volume's root: that must be writable for the pods'
/// users.
struct VolumeStore {
  std::string claim;      ///< name of a PersistentVolumeClaim (ReadWriteMany where pods run on several nodes)
  std::string host_path;  ///< a folder that all nodes have
  std::string mount_path = "/kfp/artifacts";

  template <class V>
  void describe(V& v) {
    v("claim", claim);
    v("host_path", host_path);
    v("mount_path", mount_path);
  }
};

/// A key of a Kubernetes secret; not set where the name is empty.
struct SecretKey {
  std::string name;
  std::string key;

  template <class V>
  void describe(V& v) {
    v("name", name);
    v("key", key);
  }
};

/// Artifacts pass through a bucket, at `<prefix><workflow name>/<path of the task>/<output>`: files as
/// objects, folders as all objects below. Argo's executor copies them.
struct S3Store {
  std::string bucket;
  std::string endpoint;  ///< "s3.cern.ch"; host and port, no scheme
  std::string region;
  std::string prefix;     ///< of keys, "runs/"
  bool insecure = false;  ///< http
  SecretKey access_key;
  SecretKey secret_key;
  bool use_sdk_credentials = false;  ///< of the pod's own account, in place of the keys

  template <class V>
  void describe(V& v) {
    v("bucket", bucket);
    v("endpoint", endpoint);
    v("region", region);
    v("prefix", prefix);
    v("insecure", insecure);
    v("access_key", access_key);
    v("secret_key", secret_key);
    v("use_sdk_credentials", use_sdk_credentials);
  }
};

/// A folder of the node in every pod (CERN: /var/eos on /eos).
struct HostVolume {
  std::string host_path;
  std::string mount_path;
  bool read_only = false;
  std::string mount_propagation;  ///< "HostToContainer" where the node mounts below it later, as EOS does

  template <class V>
  void describe(V& v) {
    v("host_path", host_path);
    v("mount_path", mount_path);
    v("read_only", read_only);
    v("mount_propagation", mount_propagation);
  }
};

/// A secret as files in every pod.
struct SecretVolume {
  std::string secret;
  std::string mount_path;
  bool optional = false;

  template <class V>
  void describe(V& v) {
    v("secret", secret);
    v("mount_path", mount_path);
    v("optional", optional);
  }
};

/// A Kerberos ticket from a secret. Kerberos and EOS want the ticket to belong to the process and to have
/// mode 600, which a secret's volume cannot give to users other than root: an init container copies it into
/// memory of the pod, and the copy appears at `ticket_path`, named to the program by KRB5CCNAME. The
/// program's own image needs nothing for that; `image` needs `install` (coreutils or BusyBox) and no shell.
struct KerberosTicket {
  std::string secret = "krb-secret";
  std::string key = "krb5cc_1000";                     ///< of the secret
  std::string secret_path = "/secret/krb-secret-vol";  ///< where the secret is mounted
  std::string ticket_path;  ///< empty: /tmp/krb5cc_UID, with `renew_image` /kfp/ticket/krb5cc
  std::int64_t uid =
      1000;  ///< of the program, to whom the copy belongs; 1000 is the user of calopipe's images
  std::string image = "busybox:1.37.0";
  /// Image of calopipe for a sidecar that keeps the ticket valid (`calopipe kerberos keep`); empty = none.
  /// The folder of `ticket_path` then is a volume of its own, by default /kfp/ticket: a single mounted file
  /// would not see that another one takes its place.
  std::string renew_image;
  /// Config map with the key krb5.conf, for the program and the sidecar (KRB5_CONFIG); empty = what the
  /// images have, and DNS.
  std::string krb5_config_map;

  template <class V>
  void describe(V& v) {
    v("secret", secret);
    v("key", key);
    v("secret_path", secret_path);
    v("ticket_path", ticket_path);
    v("uid", uid, {.min = 0});
    v("image", image);
    v("renew_image", renew_image);
    v("krb5_config_map", krb5_config_map);
  }
};

/// What the pipeline's own text does not say.
struct ArgoOptions {
  std::map<std::string, nlohmann::json>
      parameters;             ///< values of the pipeline's inputs, in place of defaults
  std::string name;           ///< of the workflow; empty: `generate_name`
  std::string generate_name;  ///< empty: the pipeline's name and "-"
  std::string name_space;     ///< "namespace" in JSON
  std::string service_account;
  std::optional<VolumeStore> volume;  ///< of `volume` and `s3` one at most
  std::optional<S3Store> s3;
  std::vector<std::string> image_pull_secrets;
  std::vector<HostVolume> host_volumes;
  std::vector<SecretVolume> secret_volumes;
  std::optional<KerberosTicket> kerberos;
  std::map<std::string, std::string> pod_labels;
  std::map<std::string, std::string> pod_annotations;

  template <class V>
  void describe(V& v) {
    v("parameters", parameters);
    v("name", name);
    v("generate_name", generate_name);
    v("namespace", name_space);
    v("service_account", service_account);
    v("volume", volume);
    v("s3", s3);
    v("image_pull_secrets", image_pull_secrets);
    v("host_volumes", host_volumes);
    v("secret_volumes", secret_volumes);
    v("kerberos", kerberos);
    v("pod_labels", pod_labels);
    v("pod_annotations", pod_annotations);
  }
};

/// Options from JSON, named as the members; `source` and `place` ("argo") stand in errors.
/// @throws core::InputError for unknown names, wrong types, relative paths and what is missing
ArgoOptions options_from_json(const nlohmann::json& value, const std::filesystem::path& source = {},
                              const std::string& place = {});

/// @throws core::InputError if they contradict themselves
void check_options(const ArgoOptions& options);

}  // namespace kfp::argo
