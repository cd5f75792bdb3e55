#include "calo/io/chunk_codec.h"

#include <libdeflate.h>
#include <lzf.h>

#include <cstring>
#include <memory>

namespace calo {
namespace {

// HDF5's shuffle filter: collects byte k of every element, for each k.
void shuffle_bytes(std::span<const std::uint8_t> in, std::span<std::uint8_t> out, unsigned size) {
  const std::size_t count = in.size() / size;
  for (unsigned byte = 0; byte < size; ++byte)
    for (std::size_t i = 0; i < count; ++i) out[byte * count + i] = in[i * size + byte];
  std::memcpy(out.data() + count * size, in.data() + count * size, in.size() - count * size);
}

void unshuffle_bytes(std::span<const std::uint8_t> in, std::span<std::uint8_t> out, unsigned size) {
  const std::size_t count = in.size() / size;
  for (unsigned byte = 0; byte < size; ++byte)
    for (std::size_t i = 0; i < count; ++i) out[i * size + byte] = in[byte * count + i];
  std::memcpy(out.data() + count * size, in.data() + count * size, in.size() - count * size);
}

struct FreeDecompressor {
  void operator()(libdeflate_decompressor* pointer) const { libdeflate_free_decompressor(pointer); }
};
struct FreeCompressor {
  void operator()(libdeflate_compressor* pointer) const { libdeflate_free_compressor(pointer); }
};

}  // namespace

bool ChunkCodec::inflate(std::span<const std::uint8_t> stored, std::span<std::uint8_t> out) const {
  if (lzf) {
    constexpr std::size_t kMost = UINT32_MAX;  // limit of HDF5's chunks
    return !stored.empty() && stored.size() <= kMost && out.size() <= kMost &&
           lzf_decompress(stored.data(), static_cast<unsigned>(stored.size()), out.data(),
                          static_cast<unsigned>(out.size())) == out.size();
  }
  if (!deflate) {
    if (stored.size() != out.size()) return false;
    std::memcpy(out.data(), stored.data(), stored.size());
    return true;
  }
  thread_local const std::unique_ptr<libdeflate_decompressor, FreeDecompressor> decompressor(
      libdeflate_alloc_decompressor());
  std::size_t size = 0;
  const auto result = libdeflate_zlib_decompress(decompressor.get(), stored.data(), stored.size(), out.data(),
                                                 out.size(), &size);
  return result == LIBDEFLATE_SUCCESS && size == out.size();
}

bool ChunkCodec::decode(std::span<const std::uint8_t> stored, std::span<std::uint8_t> raw) const {
  if (!shuffle) return inflate(stored, raw);
  std::vector<std::uint8_t> shuffled(raw.size());
  if (!inflate(stored, shuffled)) return false;
  unshuffle_bytes(shuffled, raw, element_size);
  return true;
}

std::vector<std::uint8_t> ChunkCodec::encode(std::span<const std::uint8_t> raw, int level) const {
  std::vector<std::uint8_t> shuffled;
  if (shuffle) {
    shuffled.resize(raw.size());
    shuffle_bytes(raw, shuffled, element_size);
    raw = shuffled;
  }
  if (!deflate) return {raw.begin(), raw.end()};
  const std::unique_ptr<libdeflate_compressor, FreeCompressor> compressor(libdeflate_alloc_compressor(level));
  std::vector<std::uint8_t> out(libdeflate_zlib_compress_bound(compressor.get(), raw.size()));
  out.resize(libdeflate_zlib_compress(compressor.get(), raw.data(), raw.size(), out.data(), out.size()));
  return out;
}

}  // namespace calo
