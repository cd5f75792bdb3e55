#include "kfp/client/context.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "core/error.h"
#include "core/parameter_field.h"
#include "core/staged_output.h"
#include "kfp/yaml/yaml.h"

namespace kfp::client {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

// Path at which Kubeflow mounts the token for its API in pods that request it.
constexpr const char* kPodToken = "/var/run/secrets/kubeflow/pipelines/token";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

fs::path current_file(const fs::path& file) {
  return file.parent_path() / "current-context";
}

// Reads fields; its errors have the file and the place in it.
class Reader {
 public:
  Reader(const json& object, const fs::path& file, std::string place, const std::vector<std::string>& known)
      : object_(object), file_(file), place_(std::move(place)) {
    if (!object.is_object()) fail("", "must be a mapping", "");
    for (const auto& [name, unused] : object.items()) {
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      const std::string near = core::nearest(name, known);
      fail(name, near.empty() ? "is unknown" : fmt::format("is unknown, did you mean {}?", near),
           fmt::format("known: {}", fmt::join(known, ", ")));
    }
  }
  bool has(const char* name) const { return object_.contains(name) && !object_.at(name).is_null(); }
  const json& at(const char* name) const { return object_.at(name); }
  std::string text(const char* name) const {
    if (!has(name)) return "";
    if (!at(name).is_string()) fail(name, "must be a string", "write it in quotes");
    return at(name).get<std::string>();
  }
  fs::path path(const char* name) const {
    const std::string value = text(name);
    if (value.empty()) return {};
    if (value.starts_with("~/")) {
      const std::string home = environment("HOME");
      if (home.empty()) fail(name, "is in the home folder, which is unknown", "set HOME");
      return fs::path(home) / value.substr(2);
    }
    return fs::absolute(file_).parent_path() / value;  // an absolute path stays unchanged
  }
  [[noreturn]] void fail(const std::string& name, const std::string& message, const std::string& hint) const {
    throw core::InputError({.message = message,
                            .file = file_,
                            .field = name.empty()     ? place_
                                     : place_.empty() ? name
                                                      : place_ + '.' + name,
                            .hint = hint});
  }

 private:
  const json& object_;
  const fs::path& file_;
  std::string place_;
};

Login read_login(const Reader& reader) {
  Login login;
  const std::string kind = reader.text("kind");
  const auto file_of = [&](const char* name, const char* other) {
    if (reader.has(other)) reader.fail(other, fmt::format("does not belong to the kind {}", kind), "");
    fs::path file = reader.path(name);
    if (file.empty()) reader.fail(name, "is missing", fmt::format("kind: {} needs it", kind));
    return file;
  };
  if (kind == "token") {
    login = {Login::Kind::kToken, file_of("token_file", "cookie_file")};
  } else if (kind == "cookies") {
    login = {Login::Kind::kCookies, file_of("cookie_file", "token_file")};
  } else if (kind == "none") {
    for (const char* name : {"token_file", "cookie_file"})
      if (reader.has(name)) reader.fail(name, "does not belong to the kind none", "");
  } else {
    const std::vector<std::string> kinds = {"none", "token", "cookies"};
    const std::string near = core::nearest(kind, kinds);
    reader.fail("kind",
                kind.empty() ? "is missing"
                             : fmt::format("cannot be \"{}\"{}", kind,
                                           near.empty() ? "" : fmt::format(", did you mean {}?", near)),
                "none, token or cookies; login with OIDC is not supported yet");
  }
  return login;
}

json to_json(const Context& context) {
  json written = {{"server", context.server}};
  if (!context.namespace_name.empty()) written["namespace"] = context.namespace_name;
  if (!context.experiment.empty()) written["experiment"] = context.experiment;
  if (!context.ca_file.empty()) written["ca_file"] = context.ca_file.string();
  if (context.login.kind == Login::Kind::kToken)
    written["login"] = {{"kind", "token"}, {"token_file", context.login.file.string()}};
  else if (context.login.kind == Login::Kind::kCookies)
    written["login"] = {{"kind", "cookies"}, {"cookie_file", context.login.file.string()}};
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

fs::path contexts_file() {
  if (const std::string config = environment("XDG_CONFIG_HOME"); !config.empty())
    return fs::path(config) / "calopipe" / "contexts.yaml";
  const std::string home = environment("HOME");
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
  if (!values.is_object())
    throw core::InputError(
        {.message = "must be a mapping from names of contexts to their settings", .file = file});
  for (const auto& [name, settings] : values.items()) {
    const Reader reader(settings, file, name, {"server", "namespace", "experiment", "login", "ca_file"});
    Context context{.name = name,
                    .server = reader.text("server"),
                    .namespace_name = reader.text("namespace"),
                    .experiment = reader.text("experiment"),
                    .ca_file = reader.path("ca_file")};
    if (context.server.empty()) reader.fail("server", "is missing", "https://kubeflow.example.org/pipeline");
    if (reader.has("login")) {
      context.login = read_login(
          Reader(reader.at("login"), file, name + ".login", {"kind", "token_file", "cookie_file"}));
      context.says_login = true;
    }
    contexts[name] = std::move(context);
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
  const std::string endpoint = environment("KF_PIPELINES_ENDPOINT");
  std::string wanted = name.empty() ? environment("CALOPIPE_CONTEXT") : name;
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
    if (const std::string token = environment("KF_PIPELINES_SA_TOKEN_PATH"); !token.empty())
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
