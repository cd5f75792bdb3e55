#include "core/own_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>

#include "core/error.h"
#include "core/provenance.h"

namespace core {
namespace {

namespace fs = std::filesystem;

fs::path path_of(const OwnLibrary& library) {
  if (const char* named = std::getenv(library.variable); named != nullptr && *named != '\0') return named;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return (program.parent_path() / "../lib/calopipe" / library.file).lexically_normal();
}

}  // namespace

void* entry_of(const OwnLibrary& library) {
  const fs::path path = path_of(library);
  const auto refuse = [&](const std::string& message, const std::string& hint) {
    throw UnavailableError({.message = message, .file = path, .hint = hint});
  };
  if (!fs::exists(path))
    refuse("the part of calopipe that uses " + library.uses + " is missing",
           library.missing + "; if it is elsewhere, give its path in the environment variable " +
               library.variable);
  void* const loaded = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (loaded == nullptr)
    refuse(std::string("cannot be loaded: ") + ::dlerror(), "is " + library.uses + " installed?");
  void* const entry = ::dlsym(loaded, library.entry.c_str());
  if (entry == nullptr) refuse("is not the part of calopipe that uses " + library.uses, "");
  return entry;
}

void check_version(const OwnLibrary& library, const std::string& its_version) {
  if (its_version == version()) return;
  throw UnavailableError({.message = "belongs to calopipe " + its_version + ", but this is " + version(),
                          .file = path_of(library),
                          .hint = "install both from one build"});
}

}  // namespace core
