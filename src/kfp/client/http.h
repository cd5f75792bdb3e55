#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"

/// The client of Kubeflow Pipelines' REST API (v2beta1).
namespace kfp::client {

/// How the client says who it is. Files are read again for every call, so that a token that was renewed is
/// used.
struct Login {
  enum class Kind {
    kNone,
    kToken,   ///< a bearer token in a file
    kCookies  ///< cookies in a file: a Netscape jar, as browsers and curl write it, or "name=value;
              ///< name=value"
  };
  Kind kind = Kind::kNone;
  std::filesystem::path file;
};

/// How often a call is tried, and how long is waited in between.
struct Retries {
  int attempts = 4;
  double first_wait_s =
      0.5;  ///< doubled each time; of each wait, a random part between a half and all is taken
  double longest_wait_s = 20;
  /// How long a run is looked for whose start was not answered, before it is sent again: a slow server may
  /// still be at it.
  double settle_s = 15;
  double longest_retry_after_s = 120;  ///< a server that asks to wait longer than this is unavailable
};

/// Where a server is and how it is spoken to.
struct HttpOptions {
  std::string server;  ///< "https://kubeflow.example.org/pipeline": what stands before /apis
  Login login;
  std::filesystem::path
      ca_file;  ///< certificates (PEM) to trust instead of the system's; empty: the system's
  double connect_timeout_s = 10;
  double call_timeout_s = 60;  ///< of one attempt, from the name's lookup to the last byte
  Retries retries;
  /// Waits between attempts; empty: sleeps, and ends early with core::Interrupted if
  /// core::interrupt_requested().
  std::function<void(double seconds)> sleep;
};

/// The server understood the call and refused it. 401 and 403 have the exit code "unavailable", 404 and 409
/// "usage", others "input".
class Refused : public core::Error {
 public:
  Refused(int status, core::ErrorDetails details);
  int status() const { return status_; }

 private:
  int status_;
};

/// The server cannot be reached, answered with an error of its own (5xx, 429), or its answer was cut off.
class Unreachable : public core::UnavailableError {
 public:
  /// Whether the server may have done what it was asked for.
  enum class Done { kNo, kPerhaps };
  /// @param retry_after_s when the server asks to come back; negative: it does not say
  /// @param answered      whether this is the server's answer, and not the lack of one
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
  std::string method = "GET";  ///< GET, POST, DELETE
  std::string path;            ///< "/apis/v2beta1/runs", percent-encoded where need be (escaped())
  std::vector<std::pair<std::string, std::string>> query;  ///< those with an empty value are left out
  nlohmann::json body;                                     ///< null: none
  std::string upload;       ///< content of a file to send as the form's field "uploadfile"; empty: none
  std::string upload_name;  ///< its name; the server goes by its end (.yaml)
  bool try_again = true;    ///< false: only one attempt
};

/// Calls over one connection that is kept open. One thread at a time.
///
/// A call is tried again if it is safe: a GET after every failure that may pass; others only if the
/// connection was not made, or the server refused with 429 or 503 and said when to come back. Redirections
/// are not followed: they lead to pages for logging in, and would take the token along. Neither tokens nor
/// cookies are in any error.
class Http {
 public:
  /// @throws core::UsageError (an address that is none), core::UnavailableError (no libcurl)
  explicit Http(HttpOptions options);
  ~Http();
  Http(const Http&) = delete;
  Http& operator=(const Http&) = delete;

  /// @return the answer's JSON, an empty object where it has no content
  /// @throws Unreachable, Refused, core::Interrupted (in a GET, or between attempts), core::InputError (the
  /// files of the login or of certificates; an answer that is not from this API)
  nlohmann::json call(const Request& request);

  const HttpOptions& options() const { return options_; }
  /// Waits as between attempts.
  void wait(double seconds) const;

 private:
  struct Answer;
  struct Secrets;
  Secrets secrets() const;
  Answer perform(const Request& request, const Secrets& secrets);
  nlohmann::json attempt(const Request& request, bool& may_try_again);
  [[noreturn]] void refuse(const Request& request, const Answer& answer, const Secrets& secrets) const;

  HttpOptions options_;
  void* handle_;  ///< of libcurl
};

/// Percent-encoded, as a part of a path.
std::string escaped(const std::string& text);

/// The wait before the next attempt: between a half and all of first · 2^(attempt-1), at most the longest.
double wait_before(const Retries& retries, int attempt);

}  // namespace kfp::client
