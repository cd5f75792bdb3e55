#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace calo {

/// Filters of a dataset's chunks: optional shuffling, then optional compression by gzip (HDF5's deflate) or
/// lzf (h5py's).
struct ChunkCodec {
  bool shuffle = false;
  bool deflate = false;
  bool lzf = false;  ///< excludes deflate; for reading only
  unsigned element_size = 4;

  /// Undoes only the compression: bytes stay shuffled (byte k of every element together, for each k).
  /// @returns false if the bytes are damaged or do not have the size of `out`
  bool inflate(std::span<const std::uint8_t> stored, std::span<std::uint8_t> out) const;
  /// Undoes all filters. @returns false as inflate() does
  bool decode(std::span<const std::uint8_t> stored, std::span<std::uint8_t> raw) const;
  /// Applies the filters with gzip `level` 0–12 (0 = stored).
  std::vector<std::uint8_t> encode(std::span<const std::uint8_t> raw, int level) const;
};

}  // namespace calo
