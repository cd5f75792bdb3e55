#include "kfp/kubernetes/access.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <memory>

#include "core/base64.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/json_reader.h"
#include "core/staged_output.h"
#include "core/text.h"
#include "kfp/yaml/yaml.h"

namespace kfp::kubernetes {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

// An entry of one of the three lists, and the file that has it.
struct Entry {
  json value;
  fs::path file;
};

// A field of an entry: kubeconfig belongs to kubectl, so fields that are not known here are not errors.
class EntryReader {
 public:
  EntryReader(const json& value, const fs::path& file, std::string place)
      : value_(value), file_(file), place_(std::move(place)) {
    if (!value_.is_object()) fail("", "must be a mapping");
  }
  [[noreturn]] void fail(const std::string& field, const std::string& message,
                         const std::string& hint = {}) const {
    throw core::InputError({.message = message,
                            .file = file_,
                            .field = field.empty() ? place_ : place_ + "." + field,
                            .hint = hint});
  }
  const json* find(const char* name) const {
    const auto found = value_.find(name);
    return found == value_.end() || found->is_null() ? nullptr : &*found;
  }
  std::string text(const char* name) const {
    const json* found = find(name);
    if (found == nullptr) return "";
    if (!found->is_string()) fail(name, "must be a string");
    return *found;
  }
  bool flag(const char* name) const {
    const json* found = find(name);
    if (found == nullptr) return false;
    if (!found->is_boolean()) fail(name, "must be true or false");
    return *found;
  }
  std::string decoded(const char* name) const {
    const std::optional<std::string> bytes = core::from_base64(text(name));
    if (!bytes) fail(name, "is not base64");
    return *bytes;
  }
  fs::path path(const char* name) const {
    const std::string named = text(name);
    return named.empty() ? fs::path() : fs::absolute(file_).parent_path() / named;
  }
  EntryReader inside(const char* name) const { return {value_.at(name), file_, place_ + "." + name}; }
  std::string place(const std::string& name) const { return place_ + "." + name; }

 private:
  const json& value_;
  const fs::path& file_;
  std::string place_;
};

// All kubeconfig files, merged as kubectl does: the first that has a name wins.
struct Config {
  std::string current;
  std::map<std::string, Entry> contexts, clusters, users;
  std::vector<fs::path> files;
};

void read_list(const json& document, const fs::path& file, const char* list, const char* inner,
               std::map<std::string, Entry>& entries) {
  const auto found = document.find(list);
  if (found == document.end() || found->is_null()) return;
  const auto fail = [&](const char* message) {
    throw core::InputError({.message = message, .file = file, .field = list});
  };
  if (!found->is_array()) fail("must be a list");
  for (const json& entry : *found) {
    if (!entry.is_object() || !entry.contains("name") || !entry["name"].is_string())
      fail("has an entry without a name");
    entries.try_emplace(entry["name"].get<std::string>(),
                        Entry{entry.contains(inner) ? entry[inner] : json(), file});
  }
}

void add_file(const fs::path& file, Config& config) {
  const json document = read_yaml(file);
  if (document.is_null()) return;
  if (!document.is_object()) throw core::InputError({.message = "is not a kubeconfig file", .file = file});
  config.files.push_back(file);
  if (config.current.empty() && document.contains("current-context") &&
      document["current-context"].is_string())
    config.current = document["current-context"];
  read_list(document, file, "contexts", "context", config.contexts);
  read_list(document, file, "clusters", "cluster", config.clusters);
  read_list(document, file, "users", "user", config.users);
}

Config read_config(const fs::path& given) {
  Config config;
  if (!given.empty()) {
    add_file(given, config);
    return config;
  }
  std::error_code error;
  const std::string list = core::environment({"KUBECONFIG"});
  for (std::size_t at = 0; at < list.size();) {
    const std::size_t end = std::min(list.find(':', at), list.size());
    const fs::path file = list.substr(at, end - at);
    if (!file.empty() && fs::exists(file, error)) add_file(file, config);
    at = end + 1;
  }
  const std::string home = core::environment({"HOME"});
  if (list.empty() && !home.empty())
    if (const fs::path file = fs::path(home) / ".kube" / "config"; fs::exists(file, error))
      add_file(file, config);
  return config;
}

std::optional<Access> in_cluster(const AccessChoice& choice) {
  const std::string host = core::environment({"KUBERNETES_SERVICE_HOST"});
  const std::string port = core::environment({"KUBERNETES_SERVICE_PORT"});
  const fs::path& folder = choice.service_account;
  std::error_code error;
  if (host.empty() || port.empty() || !fs::exists(folder / "token", error)) return std::nullopt;
  Access access{.name = "in-cluster"};
  access.server = host.find(':') == std::string::npos ? fmt::format("https://{}:{}", host, port)
                                                      : fmt::format("https://[{}]:{}", host, port);
  access.ca_pem = core::read_file(folder / "ca.crt");
  access.token_file = folder / "token";
  access.namespace_name = choice.namespace_name;
  if (access.namespace_name.empty() && fs::exists(folder / "namespace", error))
    access.namespace_name = core::trimmed(core::read_file(folder / "namespace"));
  if (access.namespace_name.empty()) access.namespace_name = "default";
  return access;
}

void read_cluster(const EntryReader& cluster, Access& access) {
  access.server = cluster.text("server");
  if (access.server.empty()) cluster.fail("server", "is required");
  if (!cluster.text("tls-server-name").empty())
    cluster.fail("tls-server-name", "is not supported", "use the name in the certificate as the server");
  access.verify = !cluster.flag("insecure-skip-tls-verify");
  access.proxy = cluster.text("proxy-url");
  access.ca_pem = cluster.decoded("certificate-authority-data");
  const fs::path file = cluster.path("certificate-authority");
  if (access.ca_pem.empty() && !file.empty()) access.ca_pem = core::read_file(file);
}

ExecPlugin read_exec(const EntryReader& exec, const json& cluster, const std::string& ca_pem) {
  ExecPlugin plugin{.api_version = exec.text("apiVersion"), .command = exec.text("command")};
  if (plugin.api_version != "client.authentication.k8s.io/v1" &&
      plugin.api_version != "client.authentication.k8s.io/v1beta1")
    exec.fail("apiVersion", fmt::format("cannot be \"{}\"", plugin.api_version),
              "client.authentication.k8s.io/v1 or v1beta1");
  if (plugin.command.empty()) exec.fail("command", "is required");
  if (plugin.command.find('/') != std::string::npos) plugin.command = exec.path("command");
  if (const json* arguments = exec.find("args")) {
    if (!arguments->is_array()) exec.fail("args", "must be a list");
    for (const json& argument : *arguments) {
      if (!argument.is_string()) exec.fail("args", "must be a list of strings");
      plugin.arguments.push_back(argument);
    }
  }
  if (const json* variables = exec.find("env")) {
    if (!variables->is_array()) exec.fail("env", "must be a list");
    for (const json& variable : *variables) {
      if (!variable.is_object() || !variable.value("name", json()).is_string() ||
          !variable.value("value", json()).is_string())
        exec.fail("env", "must be a list of names and values");
      plugin.environment.emplace_back(variable["name"], variable["value"]);
    }
  }
  plugin.install_hint = exec.text("installHint");
  plugin.needs_terminal = exec.text("interactiveMode") == "Always";
  if (exec.flag("provideClusterInfo")) {
    plugin.cluster_info = {{"server", cluster.value("server", "")}};
    if (!ca_pem.empty()) plugin.cluster_info["certificate-authority-data"] = core::to_base64(ca_pem);
  }
  return plugin;
}

void read_user(const EntryReader& user, const json& cluster, Access& access) {
  if (user.find("auth-provider") != nullptr)
    user.fail("auth-provider", "is no longer supported by Kubernetes", "use an exec plugin");
  for (const char* name : {"as", "as-groups", "as-uid", "as-user-extra"})
    if (user.find(name) != nullptr) user.fail(name, "is not supported: calopipe cannot act as another user");
  access.token = user.text("token");
  access.token_file = user.path("tokenFile");
  access.certificate_pem = user.decoded("client-certificate-data");
  access.key_pem = user.decoded("client-key-data");
  access.certificate_file = user.path("client-certificate");
  access.key_file = user.path("client-key");
  access.user = user.text("username");
  access.password = user.text("password");
  const bool has_certificate = !access.certificate_pem.empty() || !access.certificate_file.empty();
  if (has_certificate && access.key_pem.empty() && access.key_file.empty())
    user.fail("client-key", "is required", "the certificate needs its key");
  if (user.find("exec") != nullptr) access.exec = read_exec(user.inside("exec"), cluster, access.ca_pem);
}

const Entry& named(const std::map<std::string, Entry>& entries, const std::string& name, const char* kind,
                   const Config& config) {
  const auto found = entries.find(name);
  if (found != entries.end()) return found->second;
  std::vector<std::string> known;
  known.reserve(entries.size());
  for (const auto& [other, unused] : entries) known.push_back(other);
  throw core::UsageError({.message = fmt::format("has no {} \"{}\"", kind, name),
                          .file = config.files.front(),
                          .hint = fmt::format("known: {}", fmt::join(known, ", "))});
}

// What the options of the connection ask for credentials.
class CredentialSource {
 public:
  explicit CredentialSource(Access access) : access_(std::move(access)) {}

  client::Credentials operator()() {
    if (access_.exec) return from_plugin();
    client::Credentials given{.token = access_.token,
                              .certificate_pem = access_.certificate_pem,
                              .key_pem = access_.key_pem,
                              .user = {access_.user, access_.password}};
    if (!access_.token_file.empty()) given.token = core::trimmed(core::read_file(access_.token_file));
    if (given.certificate_pem.empty() && !access_.certificate_file.empty())
      given.certificate_pem = core::read_file(access_.certificate_file);
    if (given.key_pem.empty() && !access_.key_file.empty()) given.key_pem = core::read_file(access_.key_file);
    return checked(std::move(given));
  }

 private:
  // Within this time of their end, credentials are not used any more.
  static constexpr double kMargin_s = 10;

  client::Credentials from_plugin() {
    if (core::now_s() >= expires_s_ - kMargin_s) kept_ = checked(run_exec_plugin(*access_.exec, expires_s_));
    return kept_;
  }
  client::Credentials checked(client::Credentials given) const {
    const bool printable = std::all_of(given.token.begin(), given.token.end(),
                                       [](unsigned char c) { return c > 0x20 && c < 0x7f; });
    if (!printable)
      throw core::InputError({.message = "the token has characters that no token has",
                              .file = access_.token_file,
                              .field = access_.name});
    return given;
  }

  Access access_;
  client::Credentials kept_;
  double expires_s_ = -std::numeric_limits<double>::infinity();
};

}  // namespace

Access choose_access(const AccessChoice& choice) {
  const Config config = read_config(choice.kubeconfig);
  if (config.files.empty()) {
    if (choice.kubeconfig.empty() && choice.context.empty())
      if (std::optional<Access> access = in_cluster(choice)) return *access;
    throw core::UsageError(
        {.message = "there is no kubeconfig file that names a cluster",
         .file = choice.kubeconfig,
         .hint = "--kubeconfig FILE, or set KUBECONFIG; the site's administrators provide it"});
  }
  const std::string name = choice.context.empty() ? config.current : choice.context;
  if (name.empty())
    throw core::UsageError({.message = "has no current context",
                            .file = config.files.front(),
                            .hint = "--context NAME, or kubectl config use-context NAME"});
  Access access{.name = name};
  const Entry& context = named(config.contexts, name, "context", config);
  const EntryReader reader(context.value, context.file, fmt::format("contexts.{}", name));
  const std::string cluster_name = reader.text("cluster"), user_name = reader.text("user");
  access.namespace_name = choice.namespace_name.empty() ? reader.text("namespace") : choice.namespace_name;
  if (access.namespace_name.empty()) access.namespace_name = "default";
  const Entry& cluster = named(config.clusters, cluster_name, "cluster", config);
  read_cluster({cluster.value, cluster.file, fmt::format("clusters.{}", cluster_name)}, access);
  if (!user_name.empty()) {
    const Entry& user = named(config.users, user_name, "user", config);
    read_user({user.value, user.file, fmt::format("users.{}", user_name)}, cluster.value, access);
  }
  return access;
}

client::HttpOptions http_options(const Access& access) {
  client::HttpOptions options{.server = access.server};
  const auto source = std::make_shared<CredentialSource>(access);
  options.credentials = [source] { return (*source)(); };
  options.ca_pem = access.ca_pem;
  options.verify = access.verify;
  options.proxy = access.proxy;
  options.words = {
      .api = "the API of Kubernetes",
      .login = fmt::format("renew the credentials of the context {} in the kubeconfig file", access.name),
      .trust = "set certificate-authority of the cluster in the kubeconfig file",
      .permission = fmt::format("check the namespace ({}) and your role there; an administrator can give it",
                                access.namespace_name),
      .missing = fmt::format("check the namespace ({})", access.namespace_name),
      .address = "check the server of the cluster in the kubeconfig file",
      .conflict = "another program changed it at the same time, or owns it",
      .rejected = "correct the setup of the site file"};
  return options;
}

}  // namespace kfp::kubernetes
