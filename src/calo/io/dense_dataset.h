#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "calo/io/chunk_codec.h"
#include "calo/io/hdf5.h"
#include "calo/shower/showers.h"
#include "core/thread_pool.h"

namespace calo {

/// A dataset of dense showers, `[N, cells …]` of any float type, read in blocks of rows into sparse form.
/// Chunks of float32 data, plain or compressed by gzip or lzf, with or without shuffle, are fetched raw; the
/// pool expands them and picks the cells that are not zero, without unshuffling or storing the others.
/// Everything else (virtual datasets, other types and filters) is read by HDF5. Both ways give what HDF5
/// reads: chunks that were never written have the fill value.
class DenseDataset {
 public:
  /// @param cell_of  canonical cell of each index in a row; empty = the same order
  /// @throws core::InputError if it is not a float dataset of rank 2 or more, or cannot be read to its end
  ///         (File::checked_dataset)
  DenseDataset(const hdf5::File& file, std::string name, std::vector<std::uint32_t> cell_of);

  std::int64_t rows() const { return rows_; }
  std::int64_t cells() const { return cells_; }
  /// Number of rows such that blocks of a multiple of it decompress no chunk twice.
  std::int64_t rows_per_band() const { return rows_per_band_; }

  /// Appends rows [begin, end) to `out`; conditions[i] belongs to row begin + i.
  /// @throws core::InputError with file, dataset and rows if bytes are damaged
  void read(std::int64_t begin, std::int64_t end, std::span<const Conditions> conditions,
            core::ThreadPool& pool, Showers& out) const;

 private:
  struct Chunk;
  struct RowHits;

  void plan_chunks(hid_t type);
  void check_plain_chunks(hid_t type) const;
  std::optional<Chunk> chunk_at(const std::vector<hsize_t>& offset) const;
  std::vector<RowHits> read_by_chunks(std::int64_t begin, std::int64_t end, core::ThreadPool& pool) const;
  RowHits hits_of(const Chunk& chunk, std::int64_t begin, std::int64_t end) const;
  std::vector<RowHits> read_by_hdf5(std::int64_t begin, std::int64_t end, core::ThreadPool& pool) const;

  const hdf5::File& file_;
  std::string name_;
  hdf5::Handle dataset_;
  std::vector<hsize_t> shape_;
  std::vector<hsize_t> chunk_;
  std::vector<std::uint32_t> cell_of_;  // canonical cell of each index in a row; empty = the same
  ChunkCodec codec_;
  bool direct_ = false;
  float fill_ = 0;  // value of chunks that were never written
  std::int64_t rows_ = 0;
  std::int64_t cells_ = 0;
  std::int64_t rows_per_band_ = 1;
};

}  // namespace calo
