#include "kfp/client/oidc.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <vector>

#include "core/base64.h"
#include "core/staged_output.h"
#include "kfp/client/detail/loopback.h"

namespace kfp::client {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;
using Form = std::vector<std::pair<std::string, std::string>>;

constexpr const char* kLogInAgain = "calopipe kubeflow login";
// Tokens that expire sooner are renewed first: the call takes time, and clocks differ.
constexpr std::int64_t kMargin_s = 30;

std::int64_t now_s() {
  using namespace std::chrono;
  return duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
}

std::string base64url(const unsigned char* bytes, std::size_t count) {
  std::string text = core::to_base64({reinterpret_cast<const char*>(bytes), count});
  std::erase(text, '=');
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

std::string from_base64url(std::string text) {
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  text.append((4 - text.size() % 4) % 4, '=');
  return core::from_base64(std::move(text)).value_or("");
}

std::string random_text() {
  unsigned char bytes[32];
  if (RAND_bytes(bytes, sizeof bytes) != 1)
    throw core::UnavailableError({.message = "the system gives no random numbers"});
  return base64url(bytes, sizeof bytes);
}

std::string sha256_base64url(const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr) != 1)
    throw core::UnavailableError({.message = "OpenSSL has no SHA-256"});
  return base64url(digest, size);
}

std::string secret_of(const OidcLogin& login) {
  if (login.client_secret_file.empty()) return "";
  std::string secret = core::read_file(login.client_secret_file);
  while (!secret.empty() && std::isspace(static_cast<unsigned char>(secret.back())) != 0) secret.pop_back();
  if (secret.empty())
    throw core::InputError(
        {.message = "is empty", .file = login.client_secret_file, .field = "client_secret_file"});
  return secret;
}

// The provider: where its endpoints are, and calls of them.
class Provider {
 public:
  Provider(const OidcLogin& login, const HttpOptions& options) : login_(login), options_(options) {
    options_.login = {};
    options_.server = login.issuer;
    Http http(options_);
    try {
      found_ = http.call({.path = "/.well-known/openid-configuration"});
    } catch (const Unreachable&) {
      throw;
    } catch (const core::Error& error) {
      if (error.exit_code() == core::ExitCode::kInterrupted) throw;
      throw core::InputError({.message = "is no provider of OIDC logins: " + error.details().message,
                              .file = login.issuer,
                              .field = "issuer",
                              .hint = "the address before /.well-known/openid-configuration"});
    }
    // A provider that speaks for another could hand out the tokens of its users.
    const std::string issuer = text_of(found_, "issuer");
    if (trimmed(issuer) != trimmed(login.issuer))
      throw core::InputError({.message = fmt::format("calls itself {}", issuer.empty() ? "nothing" : issuer),
                              .file = login.issuer,
                              .field = "issuer",
                              .hint = "set the issuer of the context's login to this address"});
  }

  std::string endpoint(const char* name) const {
    std::string address = text_of(found_, name);
    if (address.empty())
      throw core::UnavailableError(
          {.message = fmt::format("has no {}", name), .file = login_.issuer, .hint = hint_without(name)});
    return address;
  }

  // Sends a form, with what identifies the client. Nothing in it is shown in an error.
  json post(const std::string& address, Form form) const {
    HttpOptions options = options_;
    options.server = address;
    Request request{.method = "POST", .path = "", .form = std::move(form)};
    const std::string secret = secret_of(login_);
    // Providers that know both ways may accept only the usual one from a client (OpenID Connect Discovery 3).
    const json methods = found_.value("token_endpoint_auth_methods_supported", json());
    const auto supports = [&](const char* way) {
      return methods.is_array() && std::find(methods.begin(), methods.end(), way) != methods.end();
    };
    const bool in_form = supports("client_secret_post") && !supports("client_secret_basic");
    request.form.emplace_back("client_id", login_.client_id);
    if (!secret.empty() && in_form) request.form.emplace_back("client_secret", secret);
    if (!secret.empty() && !in_form) request.user = {escaped(login_.client_id), escaped(secret)};
    for (const auto& [name, value] : request.form)
      if (name != "client_id" && name != "scope" && name != "grant_type") request.hidden.push_back(value);
    Http http(options);
    try {
      return http.call(request);
    } catch (const Refused& refused) {
      if (refused.code().empty()) throw;
      core::ErrorDetails details{.message = "refuses the login: " + refused.code(), .file = address};
      if (refused.code() == "invalid_client" || refused.code() == "unauthorized_client")
        details.hint = "check client_id and client_secret_file in the login of the context";
      throw Refused(401, std::move(details), refused.code());  // OAuth 2.0 says most of this with 400
    }
  }

  static std::string text_of(const json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
  }

 private:
  static std::string trimmed(std::string address) {
    while (address.ends_with('/')) address.pop_back();
    return address;
  }
  static std::string hint_without(const std::string& name) {
    return name == "device_authorization_endpoint" ? "log in with the browser: leave out --device" : "";
  }

  const OidcLogin& login_;
  HttpOptions options_;
  json found_;
};

json claims_of(const std::string& token) {
  const std::size_t begin = token.find('.'), end = token.find('.', begin + 1);
  if (begin == std::string::npos || end == std::string::npos) return {};
  const json claims = json::parse(from_base64url(token.substr(begin + 1, end - begin - 1)), nullptr, false);
  return claims.is_object() ? claims : json();
}

std::int64_t expiry_of(const json& claims) {
  const auto found = claims.find("exp");
  return found != claims.end() && found->is_number() ? found->get<std::int64_t>() : 0;
}

struct Tokens {
  std::string id, access, refresh;
  std::int64_t access_expires_s = 0;  // 0 = unknown
};

// Checks an ID token that came from the provider itself (OpenID Connect Core 3.1.3.7: its signature need not
// be checked then).
void check_id_token(const OidcLogin& login, const std::string& token, const std::string& nonce) {
  const auto refuse = [&](const std::string& message) {
    throw core::InputError({.message = message, .file = login.issuer, .field = "id_token"});
  };
  const json claims = claims_of(token);
  if (claims.is_null()) refuse("is no ID token");
  std::vector<std::string> audiences;
  const json audience = claims.value("aud", json());
  if (audience.is_string()) audiences.push_back(audience);
  if (audience.is_array())
    for (const json& one : audience)
      if (one.is_string()) audiences.push_back(one);
  if (std::find(audiences.begin(), audiences.end(), login.client_id) == audiences.end())
    refuse(fmt::format("is for {}, and not for the client {}", fmt::join(audiences, ", "), login.client_id));
  if (!nonce.empty() && Provider::text_of(claims, "nonce") != nonce) refuse("belongs to another login");
}

Tokens tokens_of(const OidcLogin& login, const json& answer, const std::string& nonce, const Tokens& before) {
  Tokens tokens{.id = Provider::text_of(answer, "id_token"),
                .access = Provider::text_of(answer, "access_token"),
                .refresh = Provider::text_of(answer, "refresh_token")};
  if (tokens.refresh.empty()) tokens.refresh = before.refresh;  // it stays valid
  if (tokens.id.empty()) tokens.id = before.id;
  if (tokens.id.empty())
    throw core::InputError({.message = "gave no ID token", .file = login.issuer, .field = "id_token"});
  if (tokens.id != before.id) check_id_token(login, tokens.id, nonce);
  const auto lasts = answer.find("expires_in");
  if (lasts != answer.end() && lasts->is_number())
    tokens.access_expires_s = now_s() + lasts->get<std::int64_t>();
  return tokens;
}

std::int64_t expires_s(const OidcLogin& login, const Tokens& tokens) {
  return login.send_access_token ? tokens.access_expires_s : expiry_of(claims_of(tokens.id));
}

Tokens read_tokens(const OidcLogin& login) {
  std::error_code error;
  if (!fs::exists(login.tokens_file, error)) return {};
  const json stored = json::parse(core::read_file(login.tokens_file), nullptr, false);
  if (!stored.is_object() || !stored.contains("issuer"))
    throw core::InputError({.message = "is damaged",
                            .file = login.tokens_file,
                            .hint = fmt::format("log in again: {}", kLogInAgain)});
  // Tokens of another provider or client are none for this login.
  if (Provider::text_of(stored, "issuer") != login.issuer ||
      Provider::text_of(stored, "client_id") != login.client_id)
    return {};
  Tokens tokens{.id = Provider::text_of(stored, "id_token"),
                .access = Provider::text_of(stored, "access_token"),
                .refresh = Provider::text_of(stored, "refresh_token")};
  const auto expires = stored.find("access_expires_s");
  if (expires != stored.end() && expires->is_number()) tokens.access_expires_s = expires->get<std::int64_t>();
  return tokens;
}

[[noreturn]] void fail_to_write(const fs::path& file) {
  throw core::UnavailableError(
      {.message = fmt::format("cannot be written: {}", std::strerror(errno)), .file = file});
}

// Nobody but the user can read the file at any time.
void write_tokens(const OidcLogin& login, const Tokens& tokens) {
  const std::string text = json({{"issuer", login.issuer},
                                 {"client_id", login.client_id},
                                 {"id_token", tokens.id},
                                 {"access_token", tokens.access},
                                 {"refresh_token", tokens.refresh},
                                 {"access_expires_s", tokens.access_expires_s}})
                               .dump(1) +
                           "\n";
  const fs::path& file = login.tokens_file;
  const fs::path staged = file.string() + fmt::format(".{}", ::getpid());
  ::unlink(staged.c_str());
  const int handle = ::open(staged.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (handle < 0) fail_to_write(file);
  const bool written =
      ::write(handle, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(handle) == 0;
  const int reason = errno;
  ::close(handle);
  if (!written || ::rename(staged.c_str(), file.c_str()) != 0) {
    if (!written) errno = reason;
    ::unlink(staged.c_str());
    fail_to_write(file);
  }
}

// Held while tokens are renewed: a provider may accept a refresh token only once.
class Lock {
 public:
  explicit Lock(const OidcLogin& login) {
    std::error_code error;
    const fs::path folder = login.tokens_file.parent_path();
    fs::create_directories(folder, error);
    const std::string file = login.tokens_file.string() + ".lock";
    handle_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (handle_ < 0) fail_to_write(login.tokens_file);
    while (::flock(handle_, LOCK_EX) != 0)
      if (errno != EINTR) fail_to_write(login.tokens_file);
  }
  ~Lock() { ::close(handle_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  int handle_ = -1;
};

OidcIdentity identity_of(const OidcLogin& login, const Tokens& tokens) {
  OidcIdentity identity{
      .who = "", .expires_s = expires_s(login, tokens), .renewable = !tokens.refresh.empty()};
  const json claims = claims_of(tokens.id);
  for (const char* name : {"email", "preferred_username", "sub"})
    if (identity.who.empty() && claims.is_object()) identity.who = Provider::text_of(claims, name);
  return identity;
}

std::string scope_of(const OidcLogin& login) {
  std::vector<std::string> scopes = {"openid"};
  for (const std::string& scope : login.scopes)
    if (scope != "openid") scopes.push_back(scope);
  return fmt::format("{}", fmt::join(scopes, " "));
}

[[noreturn]] void refuse_login(const OidcLogin& login, const std::string& reason,
                               const std::string& hint = {}) {
  throw core::UnavailableError({.message = "did not log in: " + reason, .file = login.issuer, .hint = hint});
}

Tokens with_browser(const OidcLogin& login, const Provider& provider, const OidcPrompt& prompt,
                    const HttpOptions& options) {
  Loopback loopback(login.redirect_uri);
  const std::string state = random_text(), nonce = random_text(), verifier = random_text();
  const Form query = {{"response_type", "code"},
                      {"client_id", login.client_id},
                      {"redirect_uri", loopback.address()},
                      {"scope", scope_of(login)},
                      {"state", state},
                      {"nonce", nonce},
                      {"code_challenge", sha256_base64url(verifier)},
                      {"code_challenge_method", "S256"}};
  std::string address = provider.endpoint("authorization_endpoint");
  char separator = address.find('?') == std::string::npos ? '?' : '&';
  for (const auto& [name, value] : query) {
    address += fmt::format("{}{}={}", separator, name, escaped(value));
    separator = '&';
  }
  prompt.show(address, "");
  const auto answer = loopback.wait(state, prompt.patience_s, options);
  if (!answer.error.empty()) refuse_login(login, answer.error);
  const json tokens =
      provider.post(provider.endpoint("token_endpoint"), {{"grant_type", "authorization_code"},
                                                          {"code", answer.code},
                                                          {"redirect_uri", loopback.address()},
                                                          {"code_verifier", verifier}});
  return tokens_of(login, tokens, nonce, {});
}

Tokens with_device(const OidcLogin& login, const Provider& provider, const OidcPrompt& prompt,
                   const HttpOptions& options) {
  const json start =
      provider.post(provider.endpoint("device_authorization_endpoint"), {{"scope", scope_of(login)}});
  const std::string code = Provider::text_of(start, "device_code"),
                    user_code = Provider::text_of(start, "user_code");
  std::string address = Provider::text_of(start, "verification_uri_complete");
  const bool complete = !address.empty();
  if (!complete) address = Provider::text_of(start, "verification_uri");
  if (code.empty() || address.empty())
    throw core::InputError({.message = "gave no code for a device", .file = login.issuer});
  prompt.show(address, complete ? "" : user_code);
  const auto number = [&](const char* name, double otherwise) {
    const auto found = start.find(name);
    return found != start.end() && found->is_number() ? found->get<double>() : otherwise;
  };
  double interval_s = number("interval", 5);
  const Http clock(options);  // for its waits
  for (double left_s = number("expires_in", 300); left_s > 0; left_s -= interval_s) {
    clock.wait(interval_s);
    try {
      const json tokens = provider.post(
          provider.endpoint("token_endpoint"),
          {{"grant_type", "urn:ietf:params:oauth:grant-type:device_code"}, {"device_code", code}});
      return tokens_of(login, tokens, "", {});
    } catch (const Refused& refused) {
      if (refused.code() == "slow_down")
        interval_s += 5;
      else if (refused.code() != "authorization_pending")
        refuse_login(login, refused.code().empty() ? refused.details().message : refused.code(),
                     refused.details().hint);
    }
  }
  refuse_login(login, "the code has expired");
}

}  // namespace

const char* to_string(Login::Kind kind) {
  switch (kind) {
    case Login::Kind::kNone:
      return "none";
    case Login::Kind::kToken:
      return "token";
    case Login::Kind::kCookies:
      return "cookies";
    case Login::Kind::kOidc:
      return "oidc";
  }
  return "";
}

OidcIdentity oidc_log_in(const OidcLogin& login, const HttpOptions& options, const OidcPrompt& prompt) {
  const Provider provider(login, options);
  const Tokens tokens = prompt.device ? with_device(login, provider, prompt, options)
                                      : with_browser(login, provider, prompt, options);
  const Lock lock(login);
  write_tokens(login, tokens);
  return identity_of(login, tokens);
}

std::string oidc_token(const OidcLogin& login, const HttpOptions& options) {
  const auto usable = [&](const Tokens& tokens) {
    const std::string& token = login.send_access_token ? tokens.access : tokens.id;
    const std::int64_t expires = expires_s(login, tokens);
    return !token.empty() && (expires == 0 || expires > now_s() + kMargin_s);
  };
  Tokens tokens = read_tokens(login);
  if (!usable(tokens)) {
    const Lock lock(login);
    tokens = read_tokens(login);  // another process may have renewed them
    if (!usable(tokens)) {
      if (tokens.refresh.empty())
        throw core::UnavailableError(
            {.message = tokens.id.empty() ? "nobody is logged in" : "the login has expired",
             .file = login.issuer,
             .hint = kLogInAgain});
      try {
        const Provider provider(login, options);
        tokens =
            tokens_of(login,
                      provider.post(provider.endpoint("token_endpoint"),
                                    {{"grant_type", "refresh_token"}, {"refresh_token", tokens.refresh}}),
                      "", tokens);
      } catch (const Refused& refused) {
        throw core::UnavailableError({.message = "does not renew the login: " + refused.details().message,
                                      .file = login.issuer,
                                      .hint = kLogInAgain});
      }
      write_tokens(login, tokens);
    }
  }
  return login.send_access_token ? tokens.access : tokens.id;
}

OidcIdentity oidc_identity(const OidcLogin& login) {
  return identity_of(login, read_tokens(login));
}

bool oidc_log_out(const OidcLogin& login) {
  std::error_code error;
  const bool was_there = fs::remove(login.tokens_file, error);
  if (error)
    throw core::UnavailableError(
        {.message = fmt::format("cannot be deleted: {}", error.message()), .file = login.tokens_file});
  fs::remove(login.tokens_file.string() + ".lock", error);
  return was_there;
}

}  // namespace kfp::client
