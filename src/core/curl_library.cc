#include "core/curl_library.h"

#include <dlfcn.h>

#include <string>

#include "core/error.h"

// The header defines these as macros with additional checks.
#undef curl_easy_setopt
#undef curl_easy_getinfo

namespace core {
namespace {

template <class Function>
void find(void* library, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(::dlsym(library, name));
  if (function == nullptr)
    throw core::UnavailableError({.message = std::string("libcurl has no ") + name,
                                  .hint = "install libcurl 7.85 or newer (Debian: libcurl4)"});
}

CurlLibrary load() {
  // Never closed, because it has its own threads and handlers.
  void* library = ::dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    throw core::UnavailableError({.message = std::string("libcurl cannot be loaded: ") + ::dlerror(),
                                  .hint = "install it (Debian: libcurl4)"});
  CurlLibrary curl{};
  find(library, "curl_global_init", curl.global_init);
  find(library, "curl_easy_init", curl.easy_init);
  find(library, "curl_easy_cleanup", curl.easy_cleanup);
  find(library, "curl_easy_reset", curl.easy_reset);
  find(library, "curl_easy_setopt", curl.easy_setopt);
  find(library, "curl_easy_getinfo", curl.easy_getinfo);
  find(library, "curl_easy_perform", curl.easy_perform);
  find(library, "curl_easy_strerror", curl.easy_strerror);
  find(library, "curl_easy_escape", curl.easy_escape);
  find(library, "curl_free", curl.free);
  find(library, "curl_slist_append", curl.slist_append);
  find(library, "curl_slist_free_all", curl.slist_free_all);
  find(library, "curl_mime_init", curl.mime_init);
  find(library, "curl_mime_free", curl.mime_free);
  find(library, "curl_mime_addpart", curl.mime_addpart);
  find(library, "curl_mime_name", curl.mime_name);
  find(library, "curl_mime_filename", curl.mime_filename);
  find(library, "curl_mime_type", curl.mime_type);
  find(library, "curl_mime_data", curl.mime_data);
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
