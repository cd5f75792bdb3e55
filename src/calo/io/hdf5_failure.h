#pragma once

#include <filesystem>
#include <string>

namespace calo::hdf5 {

/// Why HDF5's last call failed, from its error stack.
struct Failure {
  std::string message;  ///< the innermost message of the stack, and what it means where that is known
  std::string hint;     ///< what helps; empty if nothing is known
};

/// Reads and clears the error stack. Where a version in it is unknown to this program's HDF5, the message
/// says that the file is of a newer HDF5; or that it may also be damaged, where its headers have no
/// checksums.
/// @param path  the file that was read
Failure last_failure(const std::filesystem::path& path);

/// Innermost message of the error stack, cleared by this.
std::string last_error();

}  // namespace calo::hdf5
