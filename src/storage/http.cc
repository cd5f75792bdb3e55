#include "storage/http.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "core/curl_library.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/provenance.h"
#include "core/text.h"
#include "storage/fault.h"

namespace storage {
namespace {

constexpr std::size_t kMostAnswerBytes = std::size_t{64} << 20;

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// State of one request, for libcurl's callbacks.
struct Transfer {
  const HttpRequest& request;
  HttpAnswer answer{};
  std::size_t sent = 0;
  bool stopped = false;
};

std::size_t append(const char* bytes, std::size_t size, Transfer& transfer) {
  const int status = transfer.answer.status;
  if (transfer.request.sink && (status == 200 || status == 206)) {
    transfer.stopped = !transfer.request.sink({reinterpret_cast<const std::byte*>(bytes), size});
    return transfer.stopped ? 0 : size;
  }
  if (transfer.answer.body.size() + size > kMostAnswerBytes) return 0;
  transfer.answer.body.append(bytes, size);
  return size;
}

void take_header(std::string_view line, HttpAnswer& answer) {
  if (line.starts_with("HTTP/")) {  // also before the answer to a redirected request
    answer.headers.clear();
    const std::size_t space = line.find(' ');
    answer.status = space == std::string_view::npos ? 0 : std::atoi(std::string(line.substr(space)).c_str());
  } else if (const std::size_t colon = line.find(':'); colon != std::string_view::npos) {
    answer.headers[lower(std::string(line.substr(0, colon)))] = core::trimmed(line.substr(colon + 1));
  }
}

}  // namespace
}  // namespace storage

// libcurl calls these with C linkage.
extern "C" {
static std::size_t calopipe_storage_append(const char* bytes, std::size_t one, std::size_t count,
                                           void* data) {
  return storage::append(bytes, one * count, *static_cast<storage::Transfer*>(data));
}
static std::size_t calopipe_storage_header(const char* bytes, std::size_t one, std::size_t count,
                                           void* data) {
  storage::take_header({bytes, one * count}, static_cast<storage::Transfer*>(data)->answer);
  return one * count;
}
static std::size_t calopipe_storage_send(char* into, std::size_t one, std::size_t count, void* data) {
  auto& transfer = *static_cast<storage::Transfer*>(data);
  const std::size_t size = std::min(one * count, transfer.request.body.size() - transfer.sent);
  std::memcpy(into, transfer.request.body.data() + transfer.sent, size);
  transfer.sent += size;
  return size;
}
static int calopipe_storage_rewind(void* data, curl_off_t offset, int origin) {
  if (origin != SEEK_SET) return CURL_SEEKFUNC_FAIL;
  static_cast<storage::Transfer*>(data)->sent = static_cast<std::size_t>(offset);
  return CURL_SEEKFUNC_OK;
}
static int calopipe_storage_progress(void*, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return core::interrupt_requested() ? 1 : 0;
}
}

namespace storage {

std::string HttpAnswer::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

// A handle for one request.
struct Http::Lent {
  explicit Lent(Http& from) : http(from) {
    const std::lock_guard lock(http.mutex_);
    if (!http.free_.empty()) {
      handle = http.free_.back();
      http.free_.pop_back();
    } else {
      handle = core::curl().easy_init();
    }
    if (handle == nullptr) throw core::UnavailableError({.message = "libcurl cannot be initialised"});
  }
  ~Lent() {
    core::curl().easy_reset(handle);  // connections stay open
    const std::lock_guard lock(http.mutex_);
    http.free_.push_back(handle);
  }
  Lent(const Lent&) = delete;
  Lent& operator=(const Lent&) = delete;

  Http& http;
  CURL* handle = nullptr;
};

Http::~Http() {
  for (void* handle : free_) core::curl().easy_cleanup(handle);
}

HttpAnswer Http::perform(const HttpRequest& request) {
  const core::CurlLibrary& lib = core::curl();
  const Lent lent(*this);
  Transfer transfer{.request = request};
  const auto set = [&](CURLoption option, auto value) {
    if (const CURLcode code = lib.easy_setopt(lent.handle, option, value); code != CURLE_OK)
      throw core::UnavailableError(
          {.message = fmt::format("libcurl rejects option {}: {}", static_cast<int>(option),
                                  lib.easy_strerror(code))});
  };
  char message[CURL_ERROR_SIZE] = "";
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_ERRORBUFFER, message);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  // A redirect must not take a secure request elsewhere in plain text.
  set(CURLOPT_REDIR_PROTOCOLS_STR, request.url.starts_with("https:") ? "https" : "http,https");
  set(CURLOPT_FOLLOWLOCATION, request.follow_redirects ? 1L : 0L);
  set(CURLOPT_MAXREDIRS, 8L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_BUFFERSIZE, 512L << 10);
  set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(std::ceil(std::min(settings_.timeout_s, 30.0))));
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(std::ceil(settings_.timeout_s)));
  const std::string agent = std::string("calopipe/") + core::version();
  set(CURLOPT_USERAGENT, agent.c_str());
  set(CURLOPT_WRITEFUNCTION, &calopipe_storage_append);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&transfer));
  set(CURLOPT_HEADERFUNCTION, &calopipe_storage_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(&transfer));
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, &calopipe_storage_progress);
  // The certificates of the grid's authorities are in none of the places that libcurl knows.
  const std::string authorities = core::environment({"SSL_CERT_FILE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE"});
  if (!authorities.empty()) set(CURLOPT_CAINFO, authorities.c_str());
  const std::string folder = core::environment({"X509_CERT_DIR", "SSL_CERT_DIR"});
  if (!folder.empty()) set(CURLOPT_CAPATH, folder.c_str());

  core::CurlHeaders headers;
  for (const std::string& line : request.headers) headers.add(line);
  headers.add("Expect:");
  set(CURLOPT_HTTPHEADER, headers.list());
  if (request.method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  } else if (request.method == "PUT" || request.method == "POST") {
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    set(CURLOPT_READFUNCTION, &calopipe_storage_send);
    set(CURLOPT_READDATA, static_cast<void*>(&transfer));
    set(CURLOPT_SEEKFUNCTION, &calopipe_storage_rewind);
    set(CURLOPT_SEEKDATA, static_cast<void*>(&transfer));
  } else if (request.method != "GET") {
    set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }

  const CURLcode code = lib.easy_perform(lent.handle);
  if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && transfer.stopped)) return std::move(transfer.answer);
  const std::string reason = *message != '\0' ? message : lib.easy_strerror(code);
  switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
      throw core::Interrupted({.message = "interrupted"});
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      throw Fault(Fault::Kind::kRefused, "the server is not trusted: " + reason +
                                             " (SSL_CERT_FILE or X509_CERT_DIR names further certificates)");
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_TOO_MANY_REDIRECTS:
      throw Fault(Fault::Kind::kRefused, reason);
    default:
      throw Fault(Fault::Kind::kUnreachable, reason);
  }
}

void refuse(const HttpAnswer& answer, const std::string& reason) {
  const int status = answer.status;
  const std::string text =
      fmt::format("the server answers with {}{}", status, reason.empty() ? "" : ": " + reason);
  Fault::Kind kind = Fault::Kind::kRefused;
  if (status == 404 || status == 410)
    kind = Fault::Kind::kMissing;
  else if (status == 401 || status == 403)
    kind = Fault::Kind::kLogin;
  else if (status == 507)
    kind = Fault::Kind::kFull;
  else if (status == 408 || status == 429 || status >= 500)
    kind = Fault::Kind::kUnreachable;
  throw Fault(kind, text);
}

void read_ranges(Http& http, const std::function<HttpRequest()>& request, std::uint64_t size_bytes,
                 std::span<const core::RemotePiece> pieces) {
  // Bytes between two pieces that are rather read than requested around.
  constexpr std::uint64_t kGap = 8 << 10;
  std::vector<core::RemotePiece> sorted(pieces.begin(), pieces.end());
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.offset < b.offset; });
  for (std::size_t first = 0; first < sorted.size();) {
    const std::uint64_t begin = sorted[first].offset;
    std::uint64_t end = begin + sorted[first].into.size();
    std::size_t last = first + 1;
    for (; last < sorted.size() && sorted[last].offset <= end + kGap; ++last)
      end = std::max(end, sorted[last].offset + sorted[last].into.size());
    HttpRequest range = request();
    range.headers.push_back(fmt::format("Range: bytes={}-{}", begin, end - 1));
    std::uint64_t at = begin;
    range.sink = [&](std::span<const std::byte> bytes) {
      for (std::size_t i = first; i < last; ++i) {
        const core::RemotePiece& piece = sorted[i];
        const std::uint64_t from = std::max(at, piece.offset);
        const std::uint64_t to = std::min(at + bytes.size(), piece.offset + piece.into.size());
        if (from < to)
          std::memcpy(piece.into.data() + (from - piece.offset), bytes.data() + (from - at), to - from);
      }
      at += bytes.size();
      return at <= end;
    };
    const HttpAnswer answer = http.perform(range);
    if (answer.status == 416)
      throw Fault(Fault::Kind::kDamaged, fmt::format("it had {} bytes, and is shorter now", size_bytes));
    if (answer.status == 200 && !(begin == 0 && end == size_bytes))
      throw Fault(Fault::Kind::kRefused, "the server does not send parts of a file; download it first");
    if (answer.status != 206 && answer.status != 200) refuse(answer, "");
    if (at != end)
      throw Fault(Fault::Kind::kUnreachable,
                  fmt::format("the server sent {} of {} bytes", at - begin, end - begin));
    first = last;
  }
}

std::string percent_encoded(std::string_view text, std::string_view keep) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                       std::string_view("-._~").find(c) != std::string_view::npos ||
                       keep.find(c) != std::string_view::npos;
    encoded += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return encoded;
}

std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() &&
        std::isxdigit(static_cast<unsigned char>(text[i + 1])) != 0 &&
        std::isxdigit(static_cast<unsigned char>(text[i + 2])) != 0) {
      decoded += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

}  // namespace storage
