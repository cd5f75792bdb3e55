#pragma once

#include <hdf5.h>

#include <filesystem>
#include <vector>

#include "calo/io/hdf5.h"
#include "core/remote.h"

namespace calo::hdf5 {

/// Opens a file at a URL: HDF5 reads it through a core::RemoteFile, for which it has a driver here. Only what
/// is needed is transferred.
/// @returns an invalid handle if HDF5 fails
/// @throws core::InputError, core::UnavailableError
Handle open_remote(const std::filesystem::path& url);

/// HDF5 knows a failed server only as a failed call, and takes some for an object that does not exist. This
/// throws the server's error if there was one since the last call; call it before any other conclusion.
void rethrow_remote_failure();

/// Calls f. If a server failed during it, throws the server's error instead of what f concluded.
template <class F>
auto with_remote_failures(const F& f) {
  try {
    auto result = f();
    rethrow_remote_failure();
    return result;
  } catch (...) {
    rethrow_remote_failure();
    throw;
  }
}

/// While this object lives, reads of chunks of a file at a URL are collected instead of done; finish() does
/// them all with one vector read. The buffers given to HDF5 must live until then. Does nothing for local
/// files.
class CollectedReads {
 public:
  explicit CollectedReads(const File& file);
  ~CollectedReads();
  CollectedReads(const CollectedReads&) = delete;
  CollectedReads& operator=(const CollectedReads&) = delete;

  /// @throws core::InputError, core::UnavailableError
  void finish();

 private:
  struct RemoteDriverFile* file_ = nullptr;
  std::vector<core::RemotePiece> pieces_;
};

}  // namespace calo::hdf5
