#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "kfp/client/http.h"

/// Client of the Kubernetes API: access by kubeconfig or service account, and the calls that calopipe needs.
namespace kfp::kubernetes {

/// A program that gives credentials: `users[].user.exec` of a kubeconfig, protocol
/// client.authentication.k8s.io/v1 or v1beta1.
struct ExecPlugin {
  std::string api_version;
  std::string
      command;  ///< a name in PATH, or a path; relative paths with a slash start at the kubeconfig's folder
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string, std::string>> environment;
  std::string install_hint;
  bool needs_terminal = false;  ///< interactiveMode: Always
  nlohmann::json cluster_info;  ///< `spec.cluster` for the plugin; null = not wanted
  double time_limit_s = 120;    ///< it may ask the user to log in
};

/// A cluster, and how to log in there.
struct Access {
  std::string name;            ///< of the context; "in-cluster" for a service account
  std::string server;          ///< "https://10.0.0.1:6443"
  std::string namespace_name;  ///< never empty
  std::string ca_pem;          ///< trusted certificates; empty = the system's
  bool verify = true;
  std::string proxy;

  // At most one way to log in. Files are read for every call, because they are renewed.
  std::string token;
  std::filesystem::path token_file;
  std::string certificate_pem, key_pem;
  std::filesystem::path certificate_file, key_file;
  std::string user, password;
  std::optional<ExecPlugin> exec;
};

/// What the user chose; empty = the default.
struct AccessChoice {
  std::filesystem::path kubeconfig;  ///< default: the files in $KUBECONFIG, else ~/.kube/config
  std::string context;               ///< default: current-context
  std::string namespace_name;        ///< default: the context's, else "default"
  /// Where Kubernetes mounts a pod's service account.
  std::filesystem::path service_account = "/var/run/secrets/kubernetes.io/serviceaccount";
};

/// Reads kubeconfig files as kubectl does: in a list, the first file that has a name wins. Without any such
/// file and without a choice of one, the service account of the pod is used, if this process runs in one.
/// @throws core::UsageError (no access is configured, no such context), core::InputError (files, with field)
Access choose_access(const AccessChoice& choice);

/// Options of the connection. The credentials of an exec plugin are kept until they expire.
/// @throws core::InputError, core::UnavailableError from the credentials, at a call
client::HttpOptions http_options(const Access& access);

/// Runs a plugin once. @param expires_s  is set to the time at which the credentials expire; infinity if
/// never
/// @throws core::UnavailableError (it is not installed, fails, or takes too long), core::InputError (its
/// output)
client::Credentials run_exec_plugin(const ExecPlugin& plugin, double& expires_s);

}  // namespace kfp::kubernetes
