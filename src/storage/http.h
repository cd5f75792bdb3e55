#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "storage/backend.h"

namespace storage {

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::string> headers;  ///< "Name: value"
  std::span<const std::byte> body = {};
  bool follow_redirects = false;
  /// Receives the body of an answer 200 or 206, instead of HttpAnswer::body. False ends the transfer.
  std::function<bool(std::span<const std::byte>)> sink = {};
};

struct HttpAnswer {
  int status = 0;
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;

  std::string header(const std::string& name) const;
};

/// HTTP with libcurl, which is loaded with the first request. Connections are kept; calls may come from
/// several threads.
class Http {
 public:
  explicit Http(const Settings& settings) : settings_(settings) {}
  ~Http();
  Http(const Http&) = delete;
  Http& operator=(const Http&) = delete;

  /// @throws Fault (kUnreachable) if there is no answer; any answer is returned
  HttpAnswer perform(const HttpRequest& request);

 private:
  struct Lent;

  Settings settings_;
  std::mutex mutex_;
  std::vector<void*> free_;  // handles of libcurl that are not in use
};

/// The fault of an answer that is not a success.
[[noreturn]] void refuse(const HttpAnswer& answer, const std::string& reason);

/// Reads pieces with requests of ranges: neighbouring pieces together.
/// @param request  makes a request, to which the range is added
/// @throws Fault
void read_ranges(Http& http, const std::function<HttpRequest()>& request, std::uint64_t size_bytes,
                 std::span<const core::RemotePiece> pieces);

/// "%20" for a space and so on, except for letters, digits, "-._~" and the characters in `keep`.
std::string percent_encoded(std::string_view text, std::string_view keep = "");
std::string percent_decoded(std::string_view text);

}  // namespace storage
