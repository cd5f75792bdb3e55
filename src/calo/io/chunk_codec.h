#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace calo {

/// How the chunks of a dataset are filtered: optionally shuffled, then optionally compressed, by gzip (HDF5's
/// deflate) or by lzf (h5py's).
struct ChunkCodec {
  bool shuffle = false;
  bool deflate = false;
  bool lzf = false;  ///< not with deflate; read only
  unsigned element_size = 4;

  /// Undoes the compression only: shuffled bytes stay shuffled (byte k of every element together, for each
  /// k).
  /// @returns false if the bytes are damaged or of another size than `out`.
  bool inflate(std::span<const std::uint8_t> stored, std::span<std::uint8_t> out) const;
  /// Undoes the filters. @returns false likewise
  bool decode(std::span<const std::uint8_t> stored, std::span<std::uint8_t> raw) const;
  /// Applies the filters with gzip `level` 0–12 (0 = stored).
  std::vector<std::uint8_t> encode(std::span<const std::uint8_t> raw, int level) const;
};

}  // namespace calo
