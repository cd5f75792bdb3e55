#include "kfp/client/http.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cmath>
#include <functional>
#include <iterator>
#include <random>
#include <thread>

#include "core/base64.h"
#include "core/curl_library.h"
#include "core/interrupt.h"
#include "core/provenance.h"
#include "core/staged_output.h"
#include "core/text.h"
#include "kfp/client/oidc.h"

namespace kfp::client {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

// More than any list of runs with their pipelines, so that an endless answer does not fill the memory.
constexpr std::size_t kLongestAnswer = 256U << 20;

// Text from a server, on one line and shortened.
std::string one_line(const std::string& text) {
  std::string line;
  for (const char c : text) {
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    if (!control)
      line += c;
    else if (!line.empty() && line.back() != ' ')
      line += ' ';
  }
  line = core::trimmed(line);
  constexpr std::size_t kLongest = 600;
  if (line.size() > kLongest) {
    std::size_t end = kLongest;
    while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) --end;
    line.resize(end);
    line += "…";
  }
  return line;
}

std::string server_of(const std::string& address) {
  std::string server = core::trimmed(address);
  while (!server.empty() && server.back() == '/') server.pop_back();
  const auto wrong = [&](const char* message) {
    // The part before the @ may be a password.
    const std::size_t at = server.rfind('@');
    throw core::UsageError({.message = message,
                            .field = at == std::string::npos ? one_line(server) : "…" + server.substr(at),
                            .hint = "an address like https://kubeflow.example.org/pipeline"});
  };
  if (server.empty())
    throw core::UsageError(
        {.message = "no server is given",
         .hint = "select a context with --context, or create one with calopipe kubeflow context set"});
  const std::size_t scheme = server.find("://");
  if (scheme == std::string::npos) wrong("does not begin with https:// or http://");
  if (server.compare(0, scheme, "https") != 0 && server.compare(0, scheme, "http") != 0)
    wrong("must be https or http");
  const std::string rest = server.substr(scheme + 3);
  if (rest.empty() || rest.front() == '/') wrong("does not name a host");
  if (rest.find('@') != std::string::npos) wrong("contains a user or password: log in with a context");
  if (rest.find_first_of("?# \t\r\n") != std::string::npos) wrong("contains more than an address");
  return server;
}

bool is_jar(const std::string& text) {
  return text.starts_with("# Netscape") || text.starts_with("# HTTP") || text.find('\t') != std::string::npos;
}

bool printable(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
}

// Short secrets are not hidden: "a=1" would hide every 1.
bool is_worth_hiding(const std::string& secret) {
  return secret.size() >= 4;
}

const char* status_words(int status) {
  switch (status) {
    case 429:
      return "too many requests";
    case 500:
      return "internal error";
    case 502:
      return "bad gateway";
    case 503:
      return "service unavailable";
    case 504:
      return "gateway timeout";
    default:
      return "error";
  }
}

extern "C" std::size_t kfp_client_append(char* data, std::size_t size, std::size_t count, void* target) {
  auto* body = static_cast<std::string*>(target);
  const std::size_t bytes = size * count;
  if (body->size() + bytes > kLongestAnswer) return 0;
  try {
    body->append(data, bytes);
  } catch (const std::bad_alloc&) {
    return 0;  // exceptions must not pass through C
  }
  return bytes;
}

extern "C" int kfp_client_progress(void*, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return core::interrupt_requested() ? 1 : 0;
}

}  // namespace

// Data for the login; never shown.
struct Http::Secrets {
  std::string token, cookies, certificate, key;
  std::pair<std::string, std::string> user;
  fs::path jar;
  std::vector<std::string> all;

  // Hides secrets, because the server may send back what it received.
  std::string hidden(std::string text) const {
    for (const std::string& secret : all)
      for (std::size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at + 3))
        text.replace(at, secret.size(), "***");
    return text;
  }
};

struct Http::Answer {
  int status = 0;
  std::string body, type;
  json value;  // of the body, if JSON is expected
  std::string redirect;
  double retry_after_s = -1;

  // Proxies with logins send their page instead of the API's answer, also with the status 200 or 403.
  bool is_login_page() const {
    const auto contains = [this](const char* text) { return body.find(text) != std::string::npos; };
    return type.starts_with("text/html") &&
           (contains("type=\"password\"") || contains("type='password'") || contains("type=password") ||
            (status == 403 && contains("<form")));
  }
};

Refused::Refused(int status, core::ErrorDetails details, std::string code)
    : core::Error(status == 401 || status == 403 || (status >= 300 && status < 400)
                      ? core::ExitCode::kUnavailable
                  : status == 404 || status == 409 ? core::ExitCode::kUsage
                                                   : core::ExitCode::kInput,
                  std::move(details)),
      status_(status),
      code_(std::move(code)) {}

std::string escaped(const std::string& text) {
  char* encoded = core::curl().easy_escape(nullptr, text.data(), static_cast<int>(text.size()));
  if (encoded == nullptr) throw std::bad_alloc();
  std::string result = encoded;
  core::curl().free(encoded);
  return result;
}

double wait_before(const Retries& retries, int attempt) {
  thread_local std::mt19937 random{std::random_device{}()};
  const double longest =
      std::min(retries.longest_wait_s, retries.first_wait_s * std::exp2(std::clamp(attempt - 1, 0, 60)));
  return longest * std::uniform_real_distribution<double>(0.5, 1.0)(random);
}

Http::Http(HttpOptions options) : options_(std::move(options)), handle_(nullptr) {
  options_.server = server_of(options_.server);
  handle_ = core::curl().easy_init();
  if (handle_ == nullptr) throw core::UnavailableError({.message = "libcurl cannot be initialised"});
}

Http::~Http() {
  core::curl().easy_cleanup(handle_);
}

void Http::wait(double seconds) const {
  if (options_.sleep) {
    options_.sleep(seconds);
    return;
  }
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                      std::chrono::duration<double>(std::min(seconds, 1e8)));
  while (Clock::now() < end) {
    if (core::interrupt_requested()) throw core::Interrupted({.message = "interrupted"});
    std::this_thread::sleep_for(std::min<Clock::duration>(std::chrono::milliseconds(50), end - Clock::now()));
  }
}

Http::Secrets Http::secrets() const {
  Secrets secrets;
  if (options_.credentials) {
    Credentials given = options_.credentials();
    secrets.all = {given.token, given.user.second};
    std::erase_if(secrets.all, std::not_fn(is_worth_hiding));
    secrets.token = std::move(given.token);
    secrets.certificate = std::move(given.certificate_pem);
    secrets.key = std::move(given.key_pem);
    secrets.user = std::move(given.user);
    return secrets;
  }
  if (options_.login.kind == Login::Kind::kNone) return secrets;
  if (options_.login.kind == Login::Kind::kOidc) {
    secrets.token = oidc_token(options_.login.oidc, options_);
    secrets.all = {secrets.token};
    return secrets;
  }
  const fs::path& file = options_.login.file;
  const std::string text = core::trimmed(core::read_file(file));
  const auto fail = [&](const char* message, const char* hint) {
    throw core::InputError({.message = message, .file = file, .hint = hint});
  };
  if (text.empty()) fail("is empty", "log in again");
  if (options_.login.kind == Login::Kind::kToken) {
    if (!printable(text) || text.find(' ') != std::string::npos)
      fail("is not a token", "the file must contain only the token");
    secrets.token = text;
    secrets.all = {text};
    return secrets;
  }
  std::vector<std::string> pairs;
  if (is_jar(text)) {
    secrets.jar = file;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      const std::string line = text.substr(at, end - at);
      if (const std::size_t tab = line.rfind('\t'); tab != std::string::npos)
        secrets.all.push_back(core::trimmed(line.substr(tab + 1)));
      at = end + 1;
    }
  } else {
    if (!printable(text) || text.find('=') == std::string::npos)
      fail("has no cookies", "the file must be a Netscape cookie jar, or name=value; name=value on one line");
    secrets.cookies = text;
    secrets.all.push_back(text);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find(';', at), text.size());
      const std::string pair = core::trimmed(text.substr(at, end - at));
      if (const std::size_t equals = pair.find('='); equals != std::string::npos)
        secrets.all.push_back(pair.substr(equals + 1));
      at = end + 1;
    }
  }
  std::erase_if(secrets.all, std::not_fn(is_worth_hiding));
  return secrets;
}

Http::Answer Http::perform(const Request& request, const Secrets& secrets) {
  const core::CurlLibrary& lib = core::curl();
  CURL* handle = handle_;
  // Discards the cookies of an earlier reading of the jar. A reset alone would forget only its name.
  lib.easy_setopt(handle, CURLOPT_COOKIEFILE, static_cast<const char*>(nullptr));
  lib.easy_reset(handle);  // connections stay open
  const auto set = [&](CURLoption option, auto value) {
    if (const CURLcode code = lib.easy_setopt(handle, option, value); code != CURLE_OK)
      throw core::UnavailableError(
          {.message = fmt::format("libcurl rejects option {}: {}", static_cast<int>(option),
                                  lib.easy_strerror(code))});
  };
  const auto milliseconds = [](double seconds) {
    return static_cast<long>(std::max(1.0, std::ceil(seconds * 1000)));
  };

  std::string url = options_.server + request.path;
  char separator = '?';
  for (const auto& [name, value] : request.query) {
    if (value.empty()) continue;
    url += fmt::format("{}{}={}", separator, name, escaped(value));
    separator = '&';
  }
  Answer answer;
  char message[CURL_ERROR_SIZE] = "";
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_ERRORBUFFER, message);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_ACCEPT_ENCODING, "");
  set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(options_.connect_timeout_s));
  set(CURLOPT_TIMEOUT_MS, milliseconds(request.timeout_s > 0 ? request.timeout_s : options_.call_timeout_s));
  const std::string agent = std::string("calopipe/") + core::version();
  set(CURLOPT_USERAGENT, agent.c_str());
  set(CURLOPT_WRITEFUNCTION, &kfp_client_append);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&answer.body));
  const bool safe = request.method == "GET";
  if (safe) {
    // Only a GET can be interrupted: a call that changes something runs until it ends or its time limit
    // passes.
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &kfp_client_progress);
  } else {
    // If a connection that was open before is lost, libcurl would repeat the request even if the server has
    // executed it.
    set(CURLOPT_FRESH_CONNECT, 1L);
  }
  if (!options_.ca_file.empty()) {
    core::read_file(options_.ca_file);  // throws an error with the name of a missing file
    set(CURLOPT_CAINFO, options_.ca_file.c_str());
    set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  }
  const auto set_blob = [&](CURLoption option, const std::string& text) {
    curl_blob blob{.data = const_cast<char*>(text.data()), .len = text.size(), .flags = CURL_BLOB_NOCOPY};
    if (!text.empty()) set(option, &blob);
  };
  set_blob(CURLOPT_CAINFO_BLOB, options_.ca_pem);
  set_blob(CURLOPT_SSLCERT_BLOB, secrets.certificate);
  set_blob(CURLOPT_SSLKEY_BLOB, secrets.key);
  if (!secrets.certificate.empty()) {
    set(CURLOPT_SSLCERTTYPE, "PEM");
    set(CURLOPT_SSLKEYTYPE, "PEM");
  }
  if (!options_.verify) {
    set(CURLOPT_SSL_VERIFYPEER, 0L);
    set(CURLOPT_SSL_VERIFYHOST, 0L);
  }
  if (!options_.proxy.empty()) set(CURLOPT_PROXY, options_.proxy.c_str());
  if (!secrets.cookies.empty()) set(CURLOPT_COOKIE, secrets.cookies.c_str());
  if (!secrets.jar.empty()) set(CURLOPT_COOKIEFILE, secrets.jar.c_str());

  core::CurlHeaders headers;
  if (options_.http2) {
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE));
    headers.add("TE: trailers");
  } else {
    headers.add("Accept: application/json");
  }
  headers.add("Expect:");  // do not wait for "100 Continue"
  if (!secrets.token.empty()) headers.add("Authorization: Bearer " + secrets.token);

  struct Form {
    curl_mime* form = nullptr;
    ~Form() {
      if (form != nullptr) core::curl().mime_free(form);
    }
  } form;
  std::string body;
  if (!request.upload.empty()) {
    form.form = lib.mime_init(handle);
    if (form.form == nullptr) throw std::bad_alloc();
    curl_mimepart* part = lib.mime_addpart(form.form);
    if (part == nullptr || lib.mime_name(part, "uploadfile") != CURLE_OK ||
        lib.mime_filename(part, request.upload_name.c_str()) != CURLE_OK ||
        lib.mime_type(part, "application/octet-stream") != CURLE_OK ||
        lib.mime_data(part, request.upload.data(), request.upload.size()) != CURLE_OK)
      throw std::bad_alloc();
    set(CURLOPT_MIMEPOST, form.form);
  } else if (request.method == "POST" || request.method == "PUT" || !request.raw.empty() ||
             !request.body.is_null()) {
    for (const auto& [name, value] : request.form)
      body += fmt::format("{}{}={}", body.empty() ? "" : "&", escaped(name), escaped(value));
    if (!request.raw.empty()) {
      body = request.raw;
      headers.add("Content-Type: " + request.content_type);
    } else if (!request.body.is_null()) {
      try {
        body = request.body.dump();
      } catch (const json::exception&) {
        throw core::UsageError({.message = "a name, description or parameter is not UTF-8"});
      }
      headers.add("Content-Type: " + request.content_type);
    }
    set(CURLOPT_POST, 1L);
    if (request.method != "POST") set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    set(CURLOPT_POSTFIELDS, body.c_str());
  } else if (!safe) {
    set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  const auto& [name, password] = request.user.first.empty() ? secrets.user : request.user;
  const std::string user = name + ":" + password;
  if (!name.empty()) {
    set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    set(CURLOPT_USERPWD, user.c_str());
  }
  set(CURLOPT_HTTPHEADER, headers.list());

  const CURLcode code = lib.easy_perform(handle);
  if (code != CURLE_OK) {
    const std::string reason = secrets.hidden(one_line(*message != '\0' ? message : lib.easy_strerror(code)));
    double sent_after_s = 0;
    lib.easy_getinfo(handle, CURLINFO_PRETRANSFER_TIME, &sent_after_s);
    switch (code) {
      case CURLE_ABORTED_BY_CALLBACK:
        throw core::Interrupted({.message = "interrupted"});
      case CURLE_COULDNT_RESOLVE_HOST:
      case CURLE_COULDNT_RESOLVE_PROXY:
      case CURLE_COULDNT_CONNECT:
      case CURLE_SSL_CONNECT_ERROR:
        throw Unreachable(Unreachable::Done::kNo,
                          {.message = "cannot be reached: " + reason,
                           .file = options_.server,
                           .hint = "check the address, and whether the server is up"});
      case CURLE_PEER_FAILED_VERIFICATION:
      case CURLE_SSL_CACERT_BADFILE:
      case CURLE_SSL_CERTPROBLEM:
      case CURLE_SSL_ISSUER_ERROR:
        throw core::UnavailableError(
            {.message = "is not trusted: " + reason, .file = options_.server, .hint = options_.words.trust});
      case CURLE_WRITE_ERROR:
        throw core::UnavailableError(
            {.message = fmt::format("answers with more than {} MiB", kLongestAnswer >> 20),
             .file = options_.server});
      case CURLE_OPERATION_TIMEDOUT:
        throw Unreachable(
            sent_after_s > 0 ? Unreachable::Done::kPerhaps : Unreachable::Done::kNo,
            {.message = fmt::format("does not answer in time: {}", reason), .file = options_.server});
      default:
        throw Unreachable(Unreachable::Done::kPerhaps,
                          {.message = "closed the connection early: " + reason, .file = options_.server});
    }
  }
  long status = 0;
  lib.easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<int>(status);
  char* text = nullptr;
  lib.easy_getinfo(handle, CURLINFO_CONTENT_TYPE, &text);
  if (text != nullptr) answer.type = text;
  text = nullptr;
  lib.easy_getinfo(handle, CURLINFO_REDIRECT_URL, &text);
  if (text != nullptr) answer.redirect = text;
  curl_off_t seconds = 0;
  lib.easy_getinfo(handle, CURLINFO_RETRY_AFTER, &seconds);
  if (seconds > 0) answer.retry_after_s = static_cast<double>(seconds);
  return answer;
}

void Http::refuse(const Request& request, const Answer& answer, const Secrets& secrets) const {
  // {"code", "message", "details"}, {"error_message", "error_details"}, or plain text; HTML pages are
  // ignored.
  std::string reason, code;
  const json body = json::parse(answer.body, nullptr, false);
  if (body.is_object()) {
    if (body.contains("error") && body["error"].is_string()) code = body["error"];
    for (const char* name : {"message", "error_message", "error_description", "error"})
      if (reason.empty() && body.contains(name) && body[name].is_string()) reason = body[name];
  } else if (answer.body.find('<') == std::string::npos) {
    reason = answer.body;
  }
  reason = secrets.hidden(one_line(reason));
  code = secrets.hidden(one_line(code));
  const std::string behind = reason.empty() ? "" : ": " + reason;
  const int status = answer.status;
  core::ErrorDetails details{.file = options_.server};
  if (status >= 500 || status == 429) {
    details.message = fmt::format("answers with {} ({}){}", status, status_words(status), behind);
    // A server that rejects too many requests has done nothing.
    throw Unreachable(status == 429 ? Unreachable::Done::kNo : Unreachable::Done::kPerhaps,
                      std::move(details), answer.retry_after_s, true);
  }
  const bool logged_in = options_.credentials || options_.login.kind != Login::Kind::kNone;
  const std::string login_hint =
      !options_.words.login.empty()               ? options_.words.login
      : options_.login.kind == Login::Kind::kOidc ? "log in again: calopipe kubeflow login"
      : logged_in ? fmt::format("log in again: {} is read for every call", options_.login.file.string())
                  : "the server requires a login: set the login of the context (doc/kubeflow.md)";
  switch (status) {
    case 401:
      details.message =
          (logged_in ? "does not accept the login, or it has expired" : "requires a login") + behind;
      details.hint = login_hint;
      break;
    case 403:
      details.message = "does not permit this" + behind;
      details.hint = options_.words.permission;
      if (!logged_in && options_.words.login.empty())
        details.hint += "; or the login of the context is missing (doc/kubeflow.md)";
      break;
    case 404:
      details.message = reason.empty() ? "has nothing at " + request.path : "has no such object" + behind;
      details.hint = reason.empty() ? options_.words.address : options_.words.missing;
      break;
    case 409:
      details.message = "already has this" + behind;
      details.hint = options_.words.conflict;
      break;
    case 400:
    case 422:
      details.message = "rejects the request" + behind;
      details.hint = options_.words.rejected;
      break;
    default:
      if (status >= 300 && status < 400) {
        const std::string target = answer.redirect.substr(0, answer.redirect.find_first_of("?#"));
        details.message = "redirects the request" + (target.empty() ? "" : ", to " + one_line(target));
        details.hint = login_hint + "; or use the other address";
      } else {
        details.message = fmt::format("answers with {}{}", status, behind);
      }
  }
  throw Refused(status, std::move(details), code);
}

Http::Answer Http::attempt(const Request& request, bool is_json, bool& may_try_again) {
  const bool safe = request.method == "GET" || request.idempotent;
  Secrets secrets = this->secrets();
  std::copy_if(request.hidden.begin(), request.hidden.end(), std::back_inserter(secrets.all),
               is_worth_hiding);
  if (const auto& [name, password] = request.user.first.empty() ? secrets.user : request.user; !name.empty())
    secrets.all.push_back(core::to_base64(name + ':' + password));  // as the header has it
  Answer answer;
  try {
    answer = perform(request, secrets);
  } catch (const Unreachable& error) {
    may_try_again = safe || error.done() == Unreachable::Done::kNo;
    throw;
  }
  if (answer.status < 500 && answer.is_login_page()) answer.status = 401;
  if (answer.status < 200 || answer.status > 299) {
    const bool asks_to_come_back =
        (answer.status == 429 || answer.status == 503) && answer.retry_after_s >= 0;
    may_try_again = asks_to_come_back || (safe && (answer.status >= 500 || answer.status == 429));
    refuse(request, answer, secrets);
  }
  if (!is_json) return answer;
  answer.value =
      core::trimmed(answer.body).empty() ? json::object() : json::parse(answer.body, nullptr, false);
  if (!answer.value.is_discarded()) return answer;
  if (answer.type.find("json") == std::string::npos)
    throw core::InputError(
        {.message = "answers with a page, unlike " + options_.words.api,
         .file = options_.server,
         .hint = "check the login, and the address of the API: " + options_.words.address});
  may_try_again = safe;
  throw Unreachable(Unreachable::Done::kPerhaps,
                    {.message = "answers with JSON that is cut off", .file = options_.server});
}

json Http::call(const Request& request) {
  return repeated(request, true).value;
}

std::string Http::text(const Request& request) {
  return repeated(request, false).body;
}

Http::Answer Http::repeated(const Request& request, bool is_json) {
  for (int attempt_number = 1;; ++attempt_number) {
    bool may_try_again = false;
    double retry_after_s = -1;
    try {
      return attempt(request, is_json, may_try_again);
    } catch (const Unreachable& error) {
      if (!may_try_again || !request.try_again || attempt_number >= options_.retries.attempts) throw;
      retry_after_s = error.retry_after_s();
      if (retry_after_s > options_.retries.longest_retry_after_s) {
        core::ErrorDetails details = error.details();
        details.hint = fmt::format("it asks for a wait of {:.0f} s", retry_after_s);
        throw Unreachable(error.done(), details, retry_after_s, true);
      }
    }
    wait(std::max(wait_before(options_.retries, attempt_number), retry_after_s));
  }
}

}  // namespace kfp::client
