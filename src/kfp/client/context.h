#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "kfp/client/http.h"

namespace kfp::client {

/// A server, and the settings for working there.
struct Context {
  std::string name;
  std::string server;          ///< "https://kubeflow.example.org/pipeline"
  std::string namespace_name;  ///< namespace of the user, on servers with several users; else empty
  std::string experiment;      ///< name of the experiment for new runs; empty = the server's default
  Login login;
  bool says_login = false;  ///< true if `login` was given, even as `kind: none`
  std::filesystem::path ca_file;
  /// Address of the store of the cluster's artifacts (S3), for fetching them with the credentials of the AWS
  /// tools; empty = only through the server of Kubeflow's pages.
  std::string s3_endpoint;
};

/// Path of the contexts' file: `$XDG_CONFIG_HOME/calopipe/contexts.yaml`, else
/// `~/.config/calopipe/contexts.yaml`.
/// @throws core::UsageError if neither folder is known
std::filesystem::path contexts_file();

/// The contexts of a file, by name:
///
///     cern:
///       server: https://ml.example.org/pipeline
///       namespace: jdoe
///       experiment: calorimeters
///       login: {kind: cookies, cookie_file: ~/cookies.txt}   # none; token, token_file; cookies,
///       cookie_file;
///                                                            # oidc, issuer, client_id … (OidcLogin)
///       ca_file: /etc/ssl/site.pem
///       s3_endpoint: http://localhost:9000
///
/// Paths are relative to the folder of the contexts' file; `~/` is the home folder. There are no contexts if
/// there is no file.
/// @throws core::InputError with file, line or field: not YAML, unknown fields, wrong types, a login without
///         its file
std::map<std::string, Context> read_contexts(const std::filesystem::path& file);

/// Where the tokens of a context's OIDC login are kept: `logins/NAME.json` next to the contexts' file.
std::filesystem::path tokens_file(const std::filesystem::path& contexts, const std::string& context);

/// The name chosen by `context use`; empty = none. It is stored in `current-context` next to the file.
std::string current_context(const std::filesystem::path& file);

/// The context to use: `name`, else `$CALOPIPE_CONTEXT`, else the server `$KF_PIPELINES_ENDPOINT`, else the
/// current context, else the only one. If it does not say how to log in, the token at
/// `$KF_PIPELINES_SA_TOKEN_PATH` is used, or the one that Kubeflow mounts in pods.
/// @throws core::UsageError if there is none, or it is unknown; core::InputError
Context choose_context(const std::string& name, const std::filesystem::path& file);

/// Adds or replaces a context. Comments in the file are lost.
/// @throws core::UsageError (invalid address), core::InputError, core::UnavailableError
void set_context(const std::filesystem::path& file, const Context& context);

/// Selects the current context. @throws core::UsageError if it is unknown, core::UnavailableError
void use_context(const std::filesystem::path& file, const std::string& name);

/// The options of Http for a context.
HttpOptions http_options(const Context& context);

}  // namespace kfp::client
