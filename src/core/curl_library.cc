#include "core/curl_library.h"

#include "core/error.h"
#include "core/system_library.h"

// The header defines these as macros with additional checks.
#undef curl_easy_setopt
#undef curl_easy_getinfo

namespace core {
namespace {

CurlLibrary load() {
  const SystemLibrary library({.name = "libcurl",
                               .file = "libcurl.so.4",
                               .hint = "install it (Debian: libcurl4)",
                               .newer = "install libcurl 7.85 or newer (Debian: libcurl4)"});
  CurlLibrary curl{};
  library.find("curl_global_init", curl.global_init);
  library.find("curl_easy_init", curl.easy_init);
  library.find("curl_easy_cleanup", curl.easy_cleanup);
  library.find("curl_easy_reset", curl.easy_reset);
  library.find("curl_easy_setopt", curl.easy_setopt);
  library.find("curl_easy_getinfo", curl.easy_getinfo);
  library.find("curl_easy_perform", curl.easy_perform);
  library.find("curl_easy_strerror", curl.easy_strerror);
  library.find("curl_easy_escape", curl.easy_escape);
  library.find("curl_free", curl.free);
  library.find("curl_slist_append", curl.slist_append);
  library.find("curl_slist_free_all", curl.slist_free_all);
  library.find("curl_mime_init", curl.mime_init);
  library.find("curl_mime_free", curl.mime_free);
  library.find("curl_mime_addpart", curl.mime_addpart);
  library.find("curl_mime_name", curl.mime_name);
  library.find("curl_mime_filename", curl.mime_filename);
  library.find("curl_mime_type", curl.mime_type);
  library.find("curl_mime_data", curl.mime_data);
  if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    throw core::UnavailableError({.message = "libcurl cannot be initialised"});
  return curl;
}

}  // namespace

const CurlLibrary& curl() {
  static const CurlLibrary library = load();
  return library;
}

}  // namespace core
