#pragma once

#include <filesystem>
#include <string>

namespace calo::hdf5 {

/// Reason why HDF5's last call failed, from its error stack.
struct Failure {
  std::string message;  ///< innermost message of the stack, and its meaning if it is known
  std::string hint;     ///< advice for the user; may be empty
};

/// Reads and clears the error stack. If this program's HDF5 does not know a version in the file, the message
/// says that the file is for a newer HDF5, or, if its headers have no checksums, that it may also be damaged.
/// @param path  the file that was read
/// @throws core::UnavailableError if the reason is a server that failed
Failure last_failure(const std::filesystem::path& path);

/// Innermost message of the error stack. Clears the stack.
std::string last_error();

}  // namespace calo::hdf5
