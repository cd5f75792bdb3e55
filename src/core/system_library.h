#pragma once

#include <string>

namespace core {

/// A library of the system that is loaded only when it is needed, since few processes do. It stays loaded.
class SystemLibrary {
 public:
  struct Names {
    std::string name;   ///< "libcurl"
    std::string file;   ///< "libcurl.so.4"
    std::string hint;   ///< how to get it: "install it (Debian: libcurl4)"
    std::string newer;  ///< the same if it is too old
  };

  /// @throws UnavailableError if it does not load
  explicit SystemLibrary(Names names);

  /// Sets a pointer to the function of this name. @throws UnavailableError if there is none
  template <class Function>
  void find(const char* name, Function*& function) const {
    function = reinterpret_cast<Function*>(symbol(name));
  }

 private:
  void* symbol(const char* name) const;

  Names names_;
  void* library_;
};

}  // namespace core
