#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "calo/infer/packed_layer.h"

namespace calo::infer::amx {

/// What tiles look like, as LDTILECFG reads it (Intel SDM, volume 1, 18.3): palette 1, columns in bytes.
struct alignas(64) TileConfig {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t column_bytes[16] = {};
  std::uint8_t rows[16] = {};
};
static_assert(sizeof(TileConfig) == 64);

/// Rows that a product takes at once; fewer are filled up.
constexpr std::int64_t kRows = PackedLayer::kTileRows;
constexpr std::int64_t kStepWords = 16;  ///< inputs of a tile, in words of two bf16 or four bytes

/// Tiles 0 to 3 hold the sums of 16 rows and 64 outputs, 4 and 5 rows and weights of a step of 16 words, 6
/// and 7 those of the words that are left.
inline TileConfig config_for(std::int64_t words) {
  TileConfig config;
  for (int tile = 0; tile < 6; ++tile) {
    config.column_bytes[tile] = 64;
    config.rows[tile] = 16;
  }
  if (const std::int64_t left = words % kStepWords; left > 0) {
    config.column_bytes[6] = static_cast<std::uint16_t>(4 * left);
    config.rows[6] = 16;
    config.column_bytes[7] = 64;
    config.rows[7] = static_cast<std::uint8_t>(left);
  }
  return config;
}

/// Sums of 16 rows times a panel of 64 outputs, in the layouts of kernels.h.
/// @tparam Tiles  the machine's (MachineTiles), or those of a test that plays the machine: load<tile>(memory,
///         stride), store<tile>(memory, stride), zero<tile>(), and dot<sum, rows, weights>() of
///         Tiles::Product
/// @param start   sums begin with these 64 (in memory); null = 0
/// @param sums    `[16, 64]` words, `stride` bytes from row to row
template <class Tiles, typename Tiles::Product kProduct>
[[gnu::always_inline]] inline void products(const std::byte* weight, const std::byte* rows,
                                            std::size_t row_bytes, std::int64_t words, const std::byte* start,
                                            std::byte* sums, std::size_t stride) {
  constexpr std::size_t kPanelBytes = PackedLayer::kPanel * 4, kTileBytes = 64;
  const auto each_sum = [](const auto& body) __attribute__((always_inline)) {
    body(std::integral_constant<int, 0>{});
    body(std::integral_constant<int, 1>{});
    body(std::integral_constant<int, 2>{});
    body(std::integral_constant<int, 3>{});
  };
  each_sum([&](auto v) __attribute__((always_inline)) {
    if (start != nullptr)
      Tiles::template load<v>(start + v * kTileBytes, 0);  // the same in every row
    else
      Tiles::template zero<v>();
  });
  for (std::int64_t word = 0; word + kStepWords <= words; word += kStepWords) {
    Tiles::template load<4>(rows + word * 4, row_bytes);
    each_sum([&](auto v) __attribute__((always_inline)) {
      Tiles::template load<5>(weight + static_cast<std::size_t>(word) * kPanelBytes + v * kTileBytes,
                              kPanelBytes);
      Tiles::template dot<kProduct, v, 4, 5>();
    });
  }
  if (const std::int64_t left = words % kStepWords; left > 0) {
    const std::int64_t word = words - left;
    Tiles::template load<6>(rows + word * 4, row_bytes);
    each_sum([&](auto v) __attribute__((always_inline)) {
      Tiles::template load<7>(weight + static_cast<std::size_t>(word) * kPanelBytes + v * kTileBytes,
                              kPanelBytes);
      Tiles::template dot<kProduct, v, 6, 7>();
    });
  }
  each_sum([&](auto v)
               __attribute__((always_inline)) { Tiles::template store<v>(sums + v * kTileBytes, stride); });
}

/// Whether processor and kernel have tiles with bf16 and byte products; asks the kernel to let this process
/// use them.
bool available();

/// Tiles of the calling thread, while a product is made.
void configure(const TileConfig& config);
void release();

}  // namespace calo::infer::amx
