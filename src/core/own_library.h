#pragma once

#include <string>

namespace core {

/// A library of calopipe that is loaded only when it is needed, because it needs many others.
struct OwnLibrary {
  std::string file;      ///< "libcalopipe-torch.so"
  const char* variable;  ///< environment variable that may contain its path
  std::string entry;     ///< the only symbol that it exports
  std::string uses;      ///< what it uses: "LibTorch"
  std::string missing;   ///< advice if it is missing
};

/// Loads the file that the environment variable names, or `../lib/calopipe/FILE` relative to the folder of
/// the program, and returns the address of its entry. It stays loaded.
/// @throws UnavailableError if it is missing or does not load
void* entry_of(const OwnLibrary& library);

/// Checks the version of the library. @throws UnavailableError if it is not that of this program
void check_version(const OwnLibrary& library, const std::string& its_version);

}  // namespace core
