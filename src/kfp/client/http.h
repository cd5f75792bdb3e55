#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "kfp/client/login.h"

/// Client of Kubeflow Pipelines' REST API (v2beta1).
namespace kfp::client {

/// Number of attempts for a call, and the waits between them.
struct Retries {
  int attempts = 4;
  double first_wait_s =
      0.5;  ///< doubled each time; the actual wait is a random fraction, from a half to all, of it
  double longest_wait_s = 20;
  /// Time for which to look for a run whose start was not answered, before it is sent again: a slow server
  /// may still be working.
  double settle_s = 15;
  double longest_retry_after_s = 120;  ///< if a server asks for a longer wait, it is unavailable
};

/// What a program knows besides a Login, for servers with other logins (kfp::kubernetes).
struct Credentials {
  std::string token;                         ///< bearer token; empty = none
  std::string certificate_pem;               ///< certificate of the client, with its chain; empty = none
  std::string key_pem;                       ///< private key of the certificate
  std::pair<std::string, std::string> user;  ///< name and password of basic authentication
};

/// Parts of error messages that depend on the server's API; the defaults are for Kubeflow Pipelines.
struct ErrorWords {
  std::string api = "the API of Kubeflow Pipelines";
  std::string login;  ///< hint after 401; empty = from the Login
  std::string trust = "set ca_file of the context to the certificates of the site's authority";
  std::string permission = "check the namespace of the context, and your role there";
  std::string missing = "calopipe kubeflow … list shows the existing ones";
  std::string address = "the address of the API is the part before /apis (often …/pipeline)";
  std::string conflict = "use another name, or the existing object";
  std::string rejected = "calopipe pipeline validate checks a pipeline before it is sent";
};

/// Address of a server and options of the connection.
struct HttpOptions {
  std::string server;  ///< the address up to /apis: "https://kubeflow.example.org/pipeline"
  Login login;
  /// Asked before every attempt, and used instead of `login`; empty = `login`.
  std::function<Credentials()> credentials;
  std::string ca_pem;  ///< trusted certificates instead of the system's and of `ca_file`; empty = none
  bool verify = true;  ///< false = accept any certificate of the server
  std::string proxy;   ///< address of a proxy; empty = that of the environment
  bool http2 = false;  ///< HTTP/2 from the first byte on, without TLS, as gRPC has it inside of a cluster
  ErrorWords words;
  std::filesystem::path
      ca_file;  ///< trusted certificates (PEM) instead of the system's; empty = the system's
  double connect_timeout_s = 10;
  double call_timeout_s = 60;  ///< limit for one attempt, from the name lookup to the last byte
  Retries retries;
  /// Waits between attempts; empty = sleep, ending early with core::Interrupted if
  /// core::interrupt_requested().
  std::function<void(double seconds)> sleep;
};

/// The server understood the call and refused it. The exit code is "unavailable" for 401 and 403, "usage" for
/// 404 and 409, "input" for others.
class Refused : public core::Error {
 public:
  Refused(int status, core::ErrorDetails details, std::string code = {});
  int status() const { return status_; }
  /// The server's word for the error, as in OAuth 2.0 ("access_denied"); else empty.
  const std::string& code() const { return code_; }

 private:
  int status_;
  std::string code_;
};

/// The server cannot be reached, answered with an error (5xx, 429), or its answer was cut off.
class Unreachable : public core::UnavailableError {
 public:
  /// Tells whether the server may have executed the request.
  enum class Done { kNo, kPerhaps };
  /// @param retry_after_s wait that the server asks for; negative if it does not say
  /// @param answered      true if the error is the server's answer, not the lack of one
  Unreachable(Done done, core::ErrorDetails details, double retry_after_s = -1, bool answered = false)
      : core::UnavailableError(std::move(details)),
        done_(done),
        retry_after_s_(retry_after_s),
        answered_(answered) {}
  Done done() const { return done_; }
  double retry_after_s() const { return retry_after_s_; }
  bool answered() const { return answered_; }

 private:
  Done done_;
  double retry_after_s_;
  bool answered_;
};

/// A call of the API.
struct Request {
  std::string method = "GET";  ///< GET, POST, PUT, PATCH, DELETE
  std::string path;            ///< "/apis/v2beta1/runs", percent-encoded if necessary (escaped())
  std::vector<std::pair<std::string, std::string>> query;  ///< parameters with an empty value are left out
  nlohmann::json body;                                     ///< null = none
  std::string content_type = "application/json";           ///< of `body` or `raw`
  std::string raw;                                         ///< bytes to send instead of `body`; empty = none
  std::string upload;       ///< content of a file to send as the form field "uploadfile"; empty = none
  std::string upload_name;  ///< name of that file; the server uses its extension (.yaml)
  std::vector<std::pair<std::string, std::string>> form;  ///< sent as a form (POST) instead of `body`
  std::pair<std::string, std::string> user;               ///< name and password of basic authentication
  std::vector<std::string> hidden;                        ///< texts that no error shows
  bool try_again = true;                                  ///< false = only one attempt
  /// True if a second execution changes nothing more, so that it may be repeated like a GET.
  bool idempotent = false;
  double timeout_s = 0;  ///< instead of HttpOptions::call_timeout_s; 0 = that
};

/// Calls over one connection that is kept open. Only one thread may use it at a time.
///
/// A call is repeated if that is safe: a GET after every temporary failure; others only if the connection was
/// not made, or the server refused with 429 or 503 and a waiting time. Redirections are not followed, because
/// they lead to login pages and would receive the token. A login page instead of an answer counts as 401,
/// whatever its status. Errors contain neither tokens nor cookies.
class Http {
 public:
  /// @throws core::UsageError (invalid address), core::UnavailableError (no libcurl)
  explicit Http(HttpOptions options);
  ~Http();
  Http(const Http&) = delete;
  Http& operator=(const Http&) = delete;

  /// @return the answer's JSON, an empty object if it has no content
  /// @throws Unreachable, Refused, core::Interrupted (in a GET, or between attempts), core::InputError (the
  ///         files of the login or of certificates; an answer that is not from this API)
  nlohmann::json call(const Request& request);
  /// The same, for an answer that is not JSON.
  std::string text(const Request& request);

  const HttpOptions& options() const { return options_; }
  /// Waits in the same way as between attempts.
  void wait(double seconds) const;

 private:
  struct Answer;
  struct Secrets;
  Secrets secrets() const;
  Answer perform(const Request& request, const Secrets& secrets);
  Answer attempt(const Request& request, bool is_json, bool& may_try_again);
  Answer repeated(const Request& request, bool is_json);
  [[noreturn]] void refuse(const Request& request, const Answer& answer, const Secrets& secrets) const;

  HttpOptions options_;
  void* handle_;  ///< handle of libcurl
};

/// Percent-encodes a part of a path.
std::string escaped(const std::string& text);

/// The wait before the next attempt: from a half to all of first · 2^(attempt-1), at most the longest.
double wait_before(const Retries& retries, int attempt);

}  // namespace kfp::client
