#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "calo/io/chunk_codec.h"
#include "calo/io/hdf5.h"
#include "core/thread_pool.h"

namespace calo {

/// A dataset that grows along its first axis, written in gzip chunks that the pool compresses.
class ChunkStream {
 public:
  struct Options {
    hid_t type = H5T_IEEE_F32LE;     ///< little-endian, of 4 or 8 bytes
    std::vector<hsize_t> row_shape;  ///< empty for a one-dimensional dataset
    hsize_t rows_per_chunk = 1;
    int compression = 1;  ///< gzip level
  };

  /// @throws core::UnavailableError
  ChunkStream(hdf5::File& file, std::string name, const Options& options, core::ThreadPool& pool);

  std::size_t row_bytes() const { return row_bytes_; }
  /// Appends whole rows, as bytes. @throws core::UnavailableError (disk full)
  void append(std::span<const std::uint8_t> rows);
  /// Writes the remaining rows, and closes the dataset. @throws core::UnavailableError
  void finish();

 private:
  void write_chunks(std::size_t count);
  void write_rest();

  hdf5::File& file_;
  std::string name_;
  core::ThreadPool& pool_;
  Options options_;
  ChunkCodec codec_{.shuffle = true, .deflate = true};
  hdf5::Handle dataset_;
  std::size_t row_bytes_ = 0;
  std::size_t chunk_bytes_ = 0;
  hsize_t rows_ = 0;
  std::vector<std::uint8_t> pending_;
};

}  // namespace calo
