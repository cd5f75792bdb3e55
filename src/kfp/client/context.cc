#include "kfp/client/context.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <functional>
#include <vector>

#include "core/error.h"
#include "core/hash.h"
#include "core/json_reader.h"
#include "core/staged_output.h"
#include "core/text.h"
#include "kfp/yaml/yaml.h"

namespace kfp::client {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

// Path at which Kubeflow mounts the token for its API in pods that request it.
constexpr const char* kPodToken = "/var/run/secrets/kubeflow/pipelines/token";

fs::path current_file(const fs::path& file) {
  return file.parent_path() / "current-context";
}

// A file as it is named in the contexts' file: relative to its folder, or to the home folder.
struct FileName {
  fs::path path;

  void read(const json& value, core::JsonPlace& place) {
    std::string text;
    core::read_json(text, value, place);
    if (text.empty()) return;
    if (text.starts_with("~/")) {
      const std::string home = core::environment({"HOME"});
      if (home.empty()) place.fail("is in the home folder, which is not known", "set HOME");
      path = fs::path(home) / text.substr(2);
    } else {
      path = fs::absolute(place.source()).parent_path() / text;  // an absolute one stays
    }
  }
};

[[noreturn]] void fail_at(core::JsonPlace& place, const std::string& field, const std::string& message,
                          const std::string& hint = {}) {
  const core::JsonPlace::Step step(place, field);
  place.fail(message, hint);
}

Login read_login(const std::string& context, const json& value, core::JsonPlace& place) {
  std::string kind, send = "id_token";
  FileName token_file, cookie_file, secret_file;
  OidcLogin oidc;
  core::JsonFields fields(value, place);
  fields("kind", kind, {.choices = {"none", "token", "cookies", "oidc"}, .required = true});
  fields("token_file", token_file);
  fields("cookie_file", cookie_file);
  if (kind == "oidc") {
    fields("issuer", oidc.issuer, {.required = true});
    fields("client_id", oidc.client_id, {.required = true});
    fields("client_secret_file", secret_file);
    fields("scopes", oidc.scopes);
    fields("redirect_uri", oidc.redirect_uri);
    fields("send", send, {.choices = {"id_token", "access_token"}});
  }
  fields.done();
  const auto file = [&, kind = kind](const char* name, const FileName& named, bool belongs) {
    if (belongs && named.path.empty()) fail_at(place, name, "is required", "kind: " + kind + " needs it");
    if (!belongs && !named.path.empty()) fail_at(place, name, "does not belong to the kind " + kind);
  };
  file("token_file", token_file, kind == "token");
  file("cookie_file", cookie_file, kind == "cookies");
  if (kind == "token") return {Login::Kind::kToken, token_file.path};
  if (kind == "cookies") return {Login::Kind::kCookies, cookie_file.path};
  if (kind != "oidc") return {};
  oidc.client_secret_file = secret_file.path;
  oidc.send_access_token = send == "access_token";
  oidc.tokens_file = tokens_file(fs::absolute(place.source()), context);
  return {.kind = Login::Kind::kOidc, .oidc = std::move(oidc)};
}

Context read_context(const std::string& name, const json& value, core::JsonPlace& place) {
  Context context{.name = name};
  FileName ca_file;
  core::JsonFields fields(value, place);
  fields("server", context.server);
  fields("namespace", context.namespace_name);
  fields("experiment", context.experiment);
  fields("s3_endpoint", context.s3_endpoint);
  fields("ca_file", ca_file);
  context.says_login = fields.by_hand(
      "login", [&](const json& login, core::JsonPlace& at) { context.login = read_login(name, login, at); });
  fields.done();
  if (context.server.empty())
    fail_at(place, "server", "is required", "https://kubeflow.example.org/pipeline");
  context.ca_file = ca_file.path;
  return context;
}

json to_json(const OidcLogin& login) {
  const OidcLogin usual;
  json written = {{"kind", "oidc"}, {"issuer", login.issuer}, {"client_id", login.client_id}};
  if (!login.client_secret_file.empty()) written["client_secret_file"] = login.client_secret_file.string();
  if (login.scopes != usual.scopes) written["scopes"] = login.scopes;
  if (login.redirect_uri != usual.redirect_uri) written["redirect_uri"] = login.redirect_uri;
  if (login.send_access_token) written["send"] = "access_token";
  return written;
}

json to_json(const Context& context) {
  json written = {{"server", context.server}};
  if (!context.namespace_name.empty()) written["namespace"] = context.namespace_name;
  if (!context.experiment.empty()) written["experiment"] = context.experiment;
  if (!context.s3_endpoint.empty()) written["s3_endpoint"] = context.s3_endpoint;
  if (!context.ca_file.empty()) written["ca_file"] = context.ca_file.string();
  if (context.login.kind == Login::Kind::kToken)
    written["login"] = {{"kind", "token"}, {"token_file", context.login.file.string()}};
  else if (context.login.kind == Login::Kind::kCookies)
    written["login"] = {{"kind", "cookies"}, {"cookie_file", context.login.file.string()}};
  else if (context.login.kind == Login::Kind::kOidc)
    written["login"] = to_json(context.login.oidc);
  else if (context.says_login)
    written["login"] = {{"kind", "none"}};
  return written;
}

const Context& named(const std::map<std::string, Context>& contexts, const std::string& name,
                     const fs::path& file) {
  const auto found = contexts.find(name);
  if (found != contexts.end()) return found->second;
  std::vector<std::string> known;
  known.reserve(contexts.size());
  for (const auto& [other, unused] : contexts) known.push_back(other);
  const std::string near = core::nearest(name, known);
  throw core::UsageError(
      {.message = near.empty() ? "is not a context" : fmt::format("is not a context, did you mean {}?", near),
       .file = file,
       .field = name,
       .hint = known.empty() ? "create one with calopipe kubeflow context set"
                             : fmt::format("known: {}", fmt::join(known, ", "))});
}

}  // namespace

fs::path tokens_file(const fs::path& contexts, const std::string& context) {
  std::string name = context;
  const auto is_plain = [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_'; };
  if (!std::all_of(name.begin(), name.end(), is_plain)) {
    std::replace_if(name.begin(), name.end(), std::not_fn(is_plain), '_');
    name += "-" + core::sha256(context).substr(0, 8);
  }
  return contexts.parent_path() / "logins" / (name + ".json");
}

fs::path contexts_file() {
  if (const std::string config = core::environment({"XDG_CONFIG_HOME"}); !config.empty())
    return fs::path(config) / "calopipe" / "contexts.yaml";
  const std::string home = core::environment({"HOME"});
  if (home.empty())
    throw core::UsageError({.message = "the home folder is unknown", .hint = "set HOME or XDG_CONFIG_HOME"});
  return fs::path(home) / ".config" / "calopipe" / "contexts.yaml";
}

std::map<std::string, Context> read_contexts(const fs::path& file) {
  std::map<std::string, Context> contexts;
  std::error_code error;
  if (!fs::exists(file, error)) return contexts;
  const json values = read_yaml(file);
  if (values.is_null()) return contexts;
  core::JsonPlace place(file);
  if (!values.is_object()) place.wrong_type(values, "a mapping from names of contexts to their settings");
  for (const auto& [name, settings] : values.items()) {
    const core::JsonPlace::Step step(place, name);
    contexts[name] = read_context(name, settings, place);
  }
  return contexts;
}

std::string current_context(const fs::path& file) {
  std::error_code error;
  if (!fs::exists(current_file(file), error)) return "";
  std::string name = core::read_file(current_file(file));
  while (!name.empty() && (name.back() == '\n' || name.back() == ' ')) name.pop_back();
  return name;
}

Context choose_context(const std::string& name, const fs::path& file) {
  const std::map<std::string, Context> contexts = read_contexts(file);
  const std::string endpoint = core::environment({"KF_PIPELINES_ENDPOINT"});
  std::string wanted = name.empty() ? core::environment({"CALOPIPE_CONTEXT"}) : name;
  Context context;
  if (wanted.empty() && !endpoint.empty()) {
    context = {.name = "KF_PIPELINES_ENDPOINT", .server = endpoint};
  } else {
    if (wanted.empty()) wanted = current_context(file);
    if (wanted.empty() && contexts.size() == 1) wanted = contexts.begin()->first;
    if (wanted.empty())
      throw core::UsageError(
          {.message = contexts.empty() ? "there is no context that names a server" : "no context is chosen",
           .file = file,
           .hint = contexts.empty() ? "calopipe kubeflow context set NAME --server https://…/pipeline"
                                    : "--context NAME, or calopipe kubeflow context use NAME"});
    context = named(contexts, wanted, file);
  }
  if (!context.says_login) {
    std::error_code error;
    if (const std::string token = core::environment({"KF_PIPELINES_SA_TOKEN_PATH"}); !token.empty())
      context.login = {Login::Kind::kToken, token};
    else if (fs::exists(kPodToken, error))
      context.login = {Login::Kind::kToken, kPodToken};
  }
  return context;
}

void set_context(const fs::path& file, const Context& context) {
  if (context.name.empty()) throw core::UsageError({.message = "a context needs a name"});
  const Http checked(http_options(context));
  std::map<std::string, Context> contexts = read_contexts(file);
  contexts[context.name] = context;
  json values = json::object();
  for (const auto& [name, other] : contexts) values[name] = to_json(other);
  core::write_file(file, to_yaml(values));
}

void use_context(const fs::path& file, const std::string& name) {
  core::write_file(current_file(file), named(read_contexts(file), name, file).name + "\n");
}

HttpOptions http_options(const Context& context) {
  return {.server = context.server, .login = context.login, .ca_file = context.ca_file};
}

}  // namespace kfp::client
