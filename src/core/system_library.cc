#include "core/system_library.h"

#include <dlfcn.h>

#include <utility>

#include "core/error.h"

namespace core {

SystemLibrary::SystemLibrary(Names names)
    : names_(std::move(names)), library_(::dlopen(names_.file.c_str(), RTLD_NOW | RTLD_LOCAL)) {
  if (library_ == nullptr)
    throw UnavailableError(
        {.message = names_.name + " cannot be loaded: " + ::dlerror(), .hint = names_.hint});
}

void* SystemLibrary::symbol(const char* name) const {
  void* const found = ::dlsym(library_, name);
  if (found == nullptr)
    throw UnavailableError({.message = names_.name + " has no " + name, .hint = names_.newer});
  return found;
}

}  // namespace core
