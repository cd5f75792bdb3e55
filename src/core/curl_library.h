#pragma once

#include <curl/curl.h>

#include <new>
#include <string>

namespace core {

/// The functions of libcurl used here. The library is loaded on first use: it maps 30 other libraries, which
/// every task of a pipeline would pay for although few processes talk to a server.
struct CurlLibrary {
  decltype(&::curl_global_init) global_init;
  decltype(&::curl_easy_init) easy_init;
  decltype(&::curl_easy_cleanup) easy_cleanup;
  decltype(&::curl_easy_reset) easy_reset;
  decltype(&::curl_easy_setopt) easy_setopt;
  decltype(&::curl_easy_getinfo) easy_getinfo;
  decltype(&::curl_easy_perform) easy_perform;
  decltype(&::curl_easy_strerror) easy_strerror;
  decltype(&::curl_easy_escape) easy_escape;
  decltype(&::curl_free) free;
  decltype(&::curl_slist_append) slist_append;
  decltype(&::curl_slist_free_all) slist_free_all;
  decltype(&::curl_mime_init) mime_init;
  decltype(&::curl_mime_free) mime_free;
  decltype(&::curl_mime_addpart) mime_addpart;
  decltype(&::curl_mime_name) mime_name;
  decltype(&::curl_mime_filename) mime_filename;
  decltype(&::curl_mime_type) mime_type;
  decltype(&::curl_mime_data) mime_data;
};

/// @throws core::UnavailableError if libcurl is not installed
const CurlLibrary& curl();

/// Lines of a request's header.
class CurlHeaders {
 public:
  CurlHeaders() = default;
  ~CurlHeaders() { curl().slist_free_all(list_); }
  CurlHeaders(const CurlHeaders&) = delete;
  CurlHeaders& operator=(const CurlHeaders&) = delete;

  /// @param line  "Accept: application/json"; "Expect:" leaves out libcurl's own
  void add(const std::string& line) {
    curl_slist* const longer = curl().slist_append(list_, line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    list_ = longer;
  }
  curl_slist* list() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

}  // namespace core
