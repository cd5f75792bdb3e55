#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace kfp::client {

/// Settings of a login with OpenID Connect (OIDC): which provider, and where its tokens are kept.
struct OidcLogin {
  std::string issuer;     ///< address of the provider: "https://auth.example.org/realms/site"
  std::string client_id;  ///< name under which the provider knows calopipe
  std::filesystem::path client_secret_file;  ///< of a client that has a secret; else empty
  /// What is asked for beside `openid`. `offline_access` gives a token that outlives the session.
  std::vector<std::string> scopes = {"email", "offline_access"};
  /// Where the browser returns to, on the loopback; a port of 0 or none is a free one.
  std::string redirect_uri = "http://127.0.0.1/callback";
  bool send_access_token = false;     ///< instead of the ID token
  std::filesystem::path tokens_file;  ///< readable for the user only (mode 600)
};

/// How the client logs in. Files are read again for every call, so that a renewed token is used.
struct Login {
  enum class Kind {
    kNone,
    kToken,    ///< a bearer token in a file
    kCookies,  ///< cookies in a file: a Netscape jar, as written by browsers and curl, or "name=value;
               ///< name=value"
    kOidc      ///< tokens of an OIDC provider, renewed if they expire
  };
  Kind kind = Kind::kNone;
  std::filesystem::path file = {};
  OidcLogin oidc = {};
};

/// "none", "token", "cookies", "oidc".
const char* to_string(Login::Kind kind);

}  // namespace kfp::client
