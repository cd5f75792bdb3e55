#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "kfp/client/http.h"

namespace kfp::client {

/// A server, and how one works there.
struct Context {
  std::string name;
  std::string server;          ///< "https://kubeflow.example.org/pipeline"
  std::string namespace_name;  ///< of the user, on servers with several; else empty
  std::string experiment;      ///< of new runs, by name; empty: the server's default
  Login login;
  bool says_login = false;  ///< whether `login` was given, be it `kind: none`
  std::filesystem::path ca_file;
};

/// `$XDG_CONFIG_HOME/calopipe/contexts.yaml`, else `~/.config/calopipe/contexts.yaml`.
/// @throws core::UsageError if neither is known
std::filesystem::path contexts_file();

/// The contexts of a file, by name:
///
///     cern:
///       server: https://ml.example.org/pipeline
///       namespace: jdoe
///       experiment: calorimeters
///       login: {kind: cookies, cookie_file: ~/cookies.txt}   # none; token, token_file; cookies, cookie_file
///       ca_file: /etc/ssl/site.pem
///
/// Files are relative to the folder of the contexts' file; `~/` is the home folder. None where there is no
/// file.
/// @throws core::InputError with file, line or field: no YAML, unknown fields, wrong types, a login without
/// its file
std::map<std::string, Context> read_contexts(const std::filesystem::path& file);

/// The name that `context use` has chosen; empty: none. It stands in `current-context` beside the file.
std::string current_context(const std::filesystem::path& file);

/// The context to work in: the one named, else `$CALOPIPE_CONTEXT`, else the server `$KF_PIPELINES_ENDPOINT`,
/// else the current context, else the only one. If it says nothing about a login, the token in
/// `$KF_PIPELINES_SA_TOKEN_PATH` is used, or that at the place where Kubeflow mounts it in pods.
/// @throws core::UsageError if there is none, or it is not known; core::InputError
Context choose_context(const std::string& name, const std::filesystem::path& file);

/// Adds or replaces a context. Comments of the file are lost.
/// @throws core::UsageError (an address that is none), core::InputError, core::UnavailableError
void set_context(const std::filesystem::path& file, const Context& context);

/// Makes a context the current one. @throws core::UsageError if it is not known, core::UnavailableError
void use_context(const std::filesystem::path& file, const std::string& name);

/// What Http needs of it.
HttpOptions http_options(const Context& context);

}  // namespace kfp::client
