// The product by tiles, on tiles that this file plays: so it is tested where there are none.
#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <vector>

#include "calo/infer/detail/amx_kernels.h"
#include "core/philox.h"

namespace {

namespace amx = calo::infer::amx;

float of_bfloat16(std::uint16_t x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x) << 16);
}

// As the Intel SDM describes them; whatever it forbids fails the test.
struct PlayedTiles {
  enum class Product { kBf16, kBytes };

  inline static amx::TileConfig config;
  inline static std::byte tiles[8][16][64];

  static void expect_used(int tile) {
    EXPECT_GT(config.rows[tile], 0) << "tile " << tile << " is not configured";
  }
  template <int kTile>
  static void load(const std::byte* memory, std::size_t stride) {
    expect_used(kTile);
    std::memset(tiles[kTile], 0, sizeof tiles[kTile]);
    for (std::size_t row = 0; row < config.rows[kTile]; ++row)
      std::memcpy(tiles[kTile][row], memory + row * stride, config.column_bytes[kTile]);
  }
  template <int kTile>
  static void store(std::byte* memory, std::size_t stride) {
    expect_used(kTile);
    for (std::size_t row = 0; row < config.rows[kTile]; ++row)
      std::memcpy(memory + row * stride, tiles[kTile][row], config.column_bytes[kTile]);
  }
  template <int kTile>
  static void zero() {
    expect_used(kTile);
    std::memset(tiles[kTile], 0, sizeof tiles[kTile]);
  }
  template <class T>
  static T& at(int tile, std::size_t row, std::size_t column) {
    return *reinterpret_cast<T*>(tiles[tile][row] + column * sizeof(T));
  }
  template <Product kProduct, int kSum, int kRows, int kWeights>
  static void dot() {
    // #UD otherwise
    EXPECT_EQ(config.rows[kSum], config.rows[kRows]);
    EXPECT_EQ(config.column_bytes[kSum], config.column_bytes[kWeights]);
    EXPECT_EQ(config.column_bytes[kRows], 4 * config.rows[kWeights]);
    for (std::size_t m = 0; m < config.rows[kSum]; ++m)
      for (std::size_t k = 0; k < config.column_bytes[kRows] / 4u; ++k)
        for (std::size_t n = 0; n < config.column_bytes[kSum] / 4u; ++n) {
          if constexpr (kProduct == Product::kBf16)
            for (std::size_t i = 0; i < 2; ++i)
              at<float>(kSum, m, n) += of_bfloat16(at<std::uint16_t>(kRows, m, 2 * k + i)) *
                                       of_bfloat16(at<std::uint16_t>(kWeights, k, 2 * n + i));
          else
            for (std::size_t i = 0; i < 4; ++i)
              at<std::int32_t>(kSum, m, n) +=
                  at<std::uint8_t>(kRows, m, 4 * k + i) * at<std::int8_t>(kWeights, k, 4 * n + i);
        }
  }
};

constexpr std::int64_t kPanel = calo::infer::PackedLayer::kPanel;

TEST(AmxProducts, OfBf16AreThoseOfTheDefinition) {
  for (const std::int64_t in : {2, 14, 32, 34, 64, 100, 258}) {
    core::Philox random(1, static_cast<std::uint64_t>(in));
    std::vector<std::uint16_t> weight(static_cast<std::size_t>(in * kPanel)),
        rows(static_cast<std::size_t>(amx::kRows * (in + 6)));  // six more than are looked at
    std::vector<float> bias(kPanel), z(static_cast<std::size_t>(amx::kRows * 2 * kPanel), -1);
    for (auto* values : {&weight, &rows})
      for (std::uint16_t& value : *values) value = calo::infer::to_bfloat16(random.normal());
    for (float& value : bias) value = random.normal();
    PlayedTiles::config = amx::config_for(in / 2);
    amx::products<PlayedTiles, PlayedTiles::Product::kBf16>(
        reinterpret_cast<const std::byte*>(weight.data()), reinterpret_cast<const std::byte*>(rows.data()),
        static_cast<std::size_t>(in + 6) * 2, in / 2, reinterpret_cast<const std::byte*>(bias.data()),
        reinterpret_cast<std::byte*>(z.data()), 2 * kPanel * sizeof(float));
    for (std::int64_t row = 0; row < amx::kRows; ++row)
      for (std::int64_t j = 0; j < kPanel; ++j) {
        double expected = bias[static_cast<std::size_t>(j)];
        for (std::int64_t k = 0; k < in; ++k)
          expected += static_cast<double>(of_bfloat16(rows[static_cast<std::size_t>(row * (in + 6) + k)])) *
                      static_cast<double>(
                          of_bfloat16(weight[static_cast<std::size_t>((k / 2 * kPanel + j) * 2 + k % 2)]));
        ASSERT_NEAR(z[static_cast<std::size_t>(row * 2 * kPanel + j)], expected, 1e-4) << in;
        ASSERT_EQ(z[static_cast<std::size_t>(row * 2 * kPanel + kPanel + j)], -1);  // beside the panel
      }
  }
}

TEST(AmxProducts, OfBytesAreExact) {
  for (const std::int64_t in : {4, 60, 64, 68, 100, 260}) {
    core::Philox random(2, static_cast<std::uint64_t>(in));
    std::vector<std::int8_t> weight(static_cast<std::size_t>(in * kPanel));
    std::vector<std::uint8_t> rows(static_cast<std::size_t>(amx::kRows * (in + 12)));
    for (std::int8_t& value : weight)
      value = static_cast<std::int8_t>(static_cast<int>(random.below(255)) - 127);
    for (std::uint8_t& value : rows) value = static_cast<std::uint8_t>(random.below(256));
    std::vector<std::int32_t> sums(static_cast<std::size_t>(amx::kRows * kPanel), -1);
    PlayedTiles::config = amx::config_for(in / 4);
    amx::products<PlayedTiles, PlayedTiles::Product::kBytes>(
        reinterpret_cast<const std::byte*>(weight.data()), reinterpret_cast<const std::byte*>(rows.data()),
        static_cast<std::size_t>(in + 12), in / 4, nullptr, reinterpret_cast<std::byte*>(sums.data()),
        kPanel * sizeof(std::int32_t));
    for (std::int64_t row = 0; row < amx::kRows; ++row)
      for (std::int64_t j = 0; j < kPanel; ++j) {
        std::int32_t expected = 0;
        for (std::int64_t k = 0; k < in; ++k)
          expected += rows[static_cast<std::size_t>(row * (in + 12) + k)] *
                      weight[static_cast<std::size_t>((k / 4 * kPanel + j) * 4 + k % 4)];
        ASSERT_EQ(sums[static_cast<std::size_t>(row * kPanel + j)], expected) << in;
      }
  }
}

}  // namespace
