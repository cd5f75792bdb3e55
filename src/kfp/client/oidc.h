#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "kfp/client/http.h"

namespace kfp::client {

/// How to log in with OIDC.
struct OidcPrompt {
  bool device = false;  ///< with a code that is typed on another device, instead of this machine's browser
  /// Shows the address that the user must open; `code` is what to enter there, empty if it is part of the
  /// address.
  std::function<void(const std::string& address, const std::string& code)> show;
  double patience_s = 300;  ///< limit of the wait for the browser
};

/// Who is logged in, as the ID token says.
struct OidcIdentity {
  std::string who;             ///< email, else preferred_username, else sub
  std::int64_t expires_s = 0;  ///< of the token that is sent, Unix time
  bool renewable = false;      ///< true if it can be renewed without the user
};

/// Logs in and stores the tokens.
///
/// In the browser: authorization code with PKCE (RFC 7636), whose answer arrives at a loopback port (RFC
/// 8252). With a device code: RFC 8628. The provider's endpoints come from its discovery document (OpenID
/// Connect Discovery 1.0).
///
/// @param options  those of the API: certificates, limits of calls, waits
/// @throws core::UnavailableError if the provider cannot be reached, refuses the login, or the user does not
///         log in in time; core::InputError for an answer that is none of OIDC, or an ID token of somebody
///         else; core::Interrupted
OidcIdentity oidc_log_in(const OidcLogin& login, const HttpOptions& options, const OidcPrompt& prompt);

/// The token to send. It is renewed if it expires within half a minute; processes that do so at the same time
/// wait for one another.
/// @throws core::UnavailableError if nobody is logged in or the login cannot be renewed, with the command
/// that
///         helps
std::string oidc_token(const OidcLogin& login, const HttpOptions& options);

/// Who is logged in, without asking the provider; empty `who` if nobody is.
/// @throws core::InputError if the tokens' file is damaged
OidcIdentity oidc_identity(const OidcLogin& login);

/// Deletes the tokens. @return false if there were none
bool oidc_log_out(const OidcLogin& login);

}  // namespace kfp::client
