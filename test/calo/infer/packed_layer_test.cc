#include "calo/infer/packed_layer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/philox.h"

namespace {

using calo::infer::Isa;
using calo::infer::PackedLayer;
using calo::infer::Precision;

struct LayerCase {
  std::vector<float> weight, bias, rows;
  std::int64_t in, out, count;
};

LayerCase make_case(std::int64_t in, std::int64_t out, std::int64_t count) {
  core::Philox random(3, static_cast<std::uint64_t>(in * 1000 + out));
  LayerCase made{.in = in, .out = out, .count = count};
  for (std::int64_t i = 0; i < in * out; ++i) made.weight.push_back(random.normal());
  for (std::int64_t i = 0; i < out; ++i) made.bias.push_back(random.normal());
  for (std::int64_t i = 0; i < in * count; ++i) made.rows.push_back(2 * random.normal());
  return made;
}

// @param at_once  rows of a product, at most those of the layer
std::vector<float> multiply(const PackedLayer& layer, const LayerCase& c, std::int64_t at_once = 16) {
  at_once = std::min(at_once, layer.rows_at_once());
  const std::int64_t width = layer.panels() * PackedLayer::kPanel;
  std::vector<float> z(static_cast<std::size_t>((c.count + layer.rows_at_once()) * width));
  for (std::int64_t row = 0; row < c.count; row += at_once) {
    const std::int64_t rows = std::min(at_once, c.count - row);
    std::vector<std::byte> prepared(layer.prepared_bytes(rows));
    layer.prepare(c.rows.data() + row * c.in, c.in, rows, prepared.data());
    const PackedLayer::Use use(layer);
    for (std::int64_t panel = 0; panel < layer.panels(); ++panel)
      layer.multiply(use, panel, prepared.data(), rows, z.data() + row * width + panel * PackedLayer::kPanel,
                     width);
  }
  z.resize(static_cast<std::size_t>(c.count * width));
  return z;
}

// Every precision on every instruction set that this machine has, against double precision.
TEST(PackedLayer, MultipliesWithinTheErrorOfItsPrecision) {
  for (const auto& [in, out] : {std::pair{1, 1}, {3, 64}, {14, 65}, {100, 200}, {257, 130}, {1030, 70}}) {
    const LayerCase c = make_case(in, out, 23);
    for (const Precision precision : calo::infer::kPrecisions)
      for (const Isa isa : calo::infer::kIsas) {
        if (!calo::infer::has_isa(isa)) continue;
        const PackedLayer layer(
            {.data = reinterpret_cast<const std::byte*>(c.weight.data()), .out_stride = in}, c.bias, in,
            {.precision = precision, .isa = isa});
        const std::vector<float> z = multiply(layer, c);
        // Rounding of each product, as independent errors: 2^-24, 2^-9 twice, 1/254 of the largest weight
        // (w8a8: of the largest input too).
        const double each = precision == Precision::kFp32   ? 1e-6
                            : precision == Precision::kBf16 ? std::sqrt(2.0) / 512
                            : precision == Precision::kInt8 ? 4.0 / 254
                                                            : 8.0 / 254;
        const std::int64_t width = layer.panels() * PackedLayer::kPanel;
        for (std::int64_t row = 0; row < c.count; ++row)
          for (std::int64_t j = 0; j < width; ++j) {
            const float got = z[static_cast<std::size_t>(row * width + j)];
            if (j >= out) {
              ASSERT_EQ(got, 0);
              continue;
            }
            double expected = c.bias[static_cast<std::size_t>(j)], squares = 0;
            for (std::int64_t k = 0; k < in; ++k) {
              const double x = c.rows[static_cast<std::size_t>(row * in + k)];
              const double w = c.weight[static_cast<std::size_t>(j * in + k)];
              expected += x * w;
              squares +=
                  precision == Precision::kInt8 || precision == Precision::kW8a8 ? x * x : x * x * w * w;
            }
            ASSERT_NEAR(got, expected, 5 * each * std::sqrt(squares) + 1e-6)
                << in << " x " << out << " " << to_string(precision) << " " << to_string(isa);
          }
      }
  }
}

TEST(PackedLayer, GivesTheSameBitsForAnyNumberOfRows) {
  const LayerCase c = make_case(100, 200, 13);
  for (const Precision precision : calo::infer::kPrecisions)
    for (const Isa isa : calo::infer::kIsas) {
      if (!calo::infer::has_isa(isa)) continue;
      const PackedLayer layer(
          {.data = reinterpret_cast<const std::byte*>(c.weight.data()), .out_stride = 100}, c.bias, 100,
          {.precision = precision, .isa = isa});
      const std::vector<float> one = multiply(layer, c, 1);
      for (const std::int64_t rows : {2, 3, 4, 5, 6, 16}) ASSERT_EQ(multiply(layer, c, rows), one) << rows;
    }
}

TEST(PackedLayer, GivesTheSameBitsOnEveryInstructionSetWithFusedProducts) {
  if (calo::infer::best_isa() < Isa::kAvx512) GTEST_SKIP() << "this machine has no AVX-512";
  const LayerCase c = make_case(100, 200, 13);
  const auto on = [&](Isa isa) {
    return multiply(
        PackedLayer({.data = reinterpret_cast<const std::byte*>(c.weight.data()), .out_stride = 100}, c.bias,
                    100, {.isa = isa}),
        c);
  };
  EXPECT_EQ(on(Isa::kAvx2), on(Isa::kAvx512));
}

TEST(PackedLayer, GivesTheSameBitsOfIntegersWithAndWithoutVnni) {
  if (!calo::infer::has_isa(Isa::kAvx2Vnni)) GTEST_SKIP() << "this machine has no AVX-VNNI";
  const LayerCase c = make_case(1030, 70, 13);
  const auto on = [&](Isa isa) {
    return multiply(
        PackedLayer({.data = reinterpret_cast<const std::byte*>(c.weight.data()), .out_stride = 1030}, c.bias,
                    1030, {.precision = Precision::kInt8, .isa = isa}),
        c);
  };
  EXPECT_EQ(on(Isa::kAvx2), on(Isa::kAvx2Vnni));
}

TEST(PackedLayer, GivesTheSameBitsOfIntegersOnTiles) {
  if (calo::infer::best_isa() < Isa::kAmx) GTEST_SKIP() << "this machine has no AMX";
  const LayerCase c = make_case(100, 200, 23);
  for (const Precision precision : {Precision::kInt8, Precision::kW8a8}) {
    const auto on = [&](Isa isa) {
      return multiply(
          PackedLayer({.data = reinterpret_cast<const std::byte*>(c.weight.data()), .out_stride = 100},
                      c.bias, 100, {.precision = precision, .isa = isa}),
          c);
    };
    EXPECT_EQ(on(Isa::kAmx), on(Isa::kAvx512Narrow)) << to_string(precision);
  }
}

TEST(InstructionSet, IsNoBetterThanTheEnvironmentSays) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // another process, which has not asked yet
  for (const auto& [name, isa] :
       {std::pair{"plain", Isa::kPlain}, {"avx2", Isa::kAvx2}, {"avx512", Isa::kAvx512}}) {
    if (!calo::infer::has_isa(isa)) continue;
    EXPECT_EQ(calo::infer::parse_isa(name), isa);
    setenv("CALOPIPE_ISA", name, 1);
    EXPECT_EXIT(std::exit(calo::infer::best_isa() == isa ? 0 : 1), testing::ExitedWithCode(0), "") << name;
  }
  setenv("CALOPIPE_ISA", "avx3", 1);
  EXPECT_EXIT(
      try { calo::infer::best_isa(); } catch (const core::UsageError& error) {
        std::fputs(error.what(), stderr);
        std::exit(2);
      },
      testing::ExitedWithCode(2), "\"avx3\" is no instruction set");
  unsetenv("CALOPIPE_ISA");
}

TEST(PackedLayer, TakesWeightsTheOtherWayRound) {
  const LayerCase c = make_case(30, 70, 2);
  std::vector<float> turned(c.weight.size());
  for (std::size_t j = 0; j < 70; ++j)
    for (std::size_t k = 0; k < 30; ++k) turned[k * 70 + j] = -c.weight[j * 30 + k];
  const PackedLayer layer(c.weight, c.bias, 30);
  const PackedLayer other({.data = reinterpret_cast<const std::byte*>(turned.data()),
                           .out_stride = 1,
                           .in_stride = 70,
                           .factor = -1},
                          c.bias, 30, {});
  EXPECT_EQ(multiply(layer, c, 2), multiply(other, c, 2));
}

}  // namespace
