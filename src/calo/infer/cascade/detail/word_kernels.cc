#include "calo/infer/cascade/detail/word_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace calo::cascade {
namespace {

enum class Layer { kFirst, kResidual, kHeads };

// How many vectors of sums a row gets where 16 registers hold those of all rows.
constexpr int vectors_of(int rows, Layer layer) {
  if (layer == Layer::kHeads) return 2;
  return rows == 1 ? 8 : rows <= 3 ? 4 : 2;
}

// Adds the products of a pair of inputs to the sums of all rows. (Instructions by name, two sums at a time:
// g++ 12 makes all products before it adds one, and has no room for them.)
template <int kRows, int kVectors>
[[gnu::target("avx2,fma"), gnu::always_inline]] inline void add_pair(__m256i (&sum)[kRows][kVectors],
                                                                     const std::int16_t* weight,
                                                                     const std::int16_t* x,
                                                                     std::size_t stride) {
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; v += 2, weight += 32) {
    const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weight)),
                  second = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weight + 16));
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const std::int16_t* const pair = x + static_cast<std::size_t>(r) * stride;
      __m256i one = sum[r][v], other = sum[r][v + 1];
      asm("vpbroadcastd (%4), %%ymm14\n\t"
          "vpmaddwd %2, %%ymm14, %%ymm15\n\t"
          "vpaddd %%ymm15, %0, %0\n\t"
          "vpmaddwd %3, %%ymm14, %%ymm14\n\t"
          "vpaddd %%ymm14, %1, %1"
          : "+x"(one), "+x"(other)
          : "x"(first), "x"(second), "r"(pair), "m"(*reinterpret_cast<const std::int16_t(*)[2]>(pair))
          : "xmm14", "xmm15");
      sum[r][v] = one;
      sum[r][v + 1] = other;
    }
  }
}

template <int kRows, Layer kLayer>
[[gnu::target("avx2,fma")]] void layer(const WordTile& t) {
  constexpr int kVectors = vectors_of(kRows, kLayer);
  constexpr std::size_t kAtOnce = 8 * kVectors,
                        kPanel = kLayer == Layer::kHeads ? WordTile::kHeads : WordTile::kPanel;
  static_assert(kPanel % kAtOnce == 0);
  for (std::size_t column = 0; column < t.out; column += kAtOnce) {
    const std::int16_t* const weight = t.weight + 2 * (column / kPanel * kPanel * t.pairs + column % kPanel);
    __m256i sum[kRows][kVectors];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sum[r][v] = _mm256_setzero_si256();
    const std::uint32_t *pair = t.used, *const end = pair + t.count;
    const std::int16_t* const x = t.x;
    const std::size_t stride = t.x_stride;
    for (; pair != end; ++pair)
      add_pair<kRows, kVectors>(sum, weight + std::size_t{*pair} * 2 * kPanel, x + std::size_t{*pair} * 2,
                                stride);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const __m256 factor = _mm256_set1_ps(t.x_factor[r]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        const std::size_t at = column + static_cast<std::size_t>(v) * 8;
        __m256 z = _mm256_loadu_ps(t.start[r] + at);
        if constexpr (kLayer == Layer::kFirst) z = _mm256_add_ps(z, _mm256_loadu_ps(t.more[r] + at));
        z = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum[r][v]),
                            _mm256_mul_ps(factor, _mm256_loadu_ps(t.factors + at)), z);
        const std::size_t to = static_cast<std::size_t>(r) * t.h_stride + at;
        if constexpr (kLayer != Layer::kHeads) {
          // min and max give their second argument if the first is not a number: NaN stays.
          const __m256 gate = _mm256_min_ps(
              _mm256_set1_ps(6), _mm256_max_ps(_mm256_setzero_ps(), _mm256_add_ps(z, _mm256_set1_ps(3))));
          z = _mm256_mul_ps(z, gate);
          const __m256 sixth = _mm256_set1_ps(1.0f / 6.0f);
          if constexpr (kLayer == Layer::kResidual)
            z = _mm256_fmadd_ps(z, sixth, _mm256_loadu_ps(t.before + to));
          else
            z = _mm256_mul_ps(z, sixth);
        }
        _mm256_storeu_ps(t.h + to, z);
      }
    }
  }
}

// With AVX-512, 16 outputs are in a vector, and a whole panel has its sums in registers. If there are few
// rows, each output has two sums that do not wait for one another: sums of integers are the same in any
// order.
template <int kRows, Layer kLayer>
struct Wide {
  static constexpr int kVectors = kLayer == Layer::kHeads ? 1 : 4;
  static constexpr int kSums = kRows * kVectors <= 12 ? 2 : 1;
  static constexpr std::size_t kPanel = kLayer == Layer::kHeads ? WordTile::kHeads : WordTile::kPanel;
};

// (Instructions by name: one kernel serves processors with and without VNNI, and g++ 12 would make all
// products before it adds one.)
template <bool kVnni>
[[gnu::target("avx512f,avx512bw"), gnu::always_inline]] inline void add_words(__m512i& sum, __m512i weights,
                                                                              __m512i inputs) {
  if constexpr (kVnni) {
    asm("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(weights), "v"(inputs));
  } else {
    __m512i product;
    asm("vpmaddwd %3, %2, %1\n\t"
        "vpaddd %1, %0, %0"
        : "+v"(sum), "=&v"(product)
        : "v"(weights), "v"(inputs));
  }
}

template <int kRows, int kVectors, bool kVnni>
[[gnu::target("avx512f,avx512bw"), gnu::always_inline]] inline void add_wide_pair(
    __m512i (&sum)[kRows][kVectors], const std::int16_t* weight, const std::int16_t* x, std::size_t stride) {
  __m512i weights[kVectors];
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) weights[v] = _mm512_loadu_si512(weight + 32 * v);
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    std::int32_t pair;
    std::memcpy(&pair, x + static_cast<std::size_t>(r) * stride, sizeof pair);
    const __m512i inputs = _mm512_set1_epi32(pair);
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) add_words<kVnni>(sum[r][v], weights[v], inputs);
  }
}

template <int kRows, Layer kLayer, bool kVnni>
[[gnu::target("avx512f,avx512bw")]] void wide_layer(const WordTile& t) {
  using W = Wide<kRows, kLayer>;
  for (std::size_t column = 0; column < t.out; column += W::kPanel) {
    const std::int16_t* const weight = t.weight + 2 * column * t.pairs;
    __m512i sum[W::kSums][kRows][W::kVectors];
#pragma GCC unroll 2
    for (int s = 0; s < W::kSums; ++s)
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
        for (int v = 0; v < W::kVectors; ++v) sum[s][r][v] = _mm512_setzero_si512();
    const std::uint32_t *pair = t.used, *const end = pair + t.count;
    const std::int16_t* const x = t.x;
    const std::size_t stride = t.x_stride;
    for (; end - pair >= W::kSums; pair += W::kSums)
#pragma GCC unroll 2
      for (int s = 0; s < W::kSums; ++s)
        add_wide_pair<kRows, W::kVectors, kVnni>(sum[s], weight + std::size_t{pair[s]} * 2 * W::kPanel,
                                                 x + std::size_t{pair[s]} * 2, stride);
    if (pair != end)
      add_wide_pair<kRows, W::kVectors, kVnni>(sum[0], weight + std::size_t{*pair} * 2 * W::kPanel,
                                               x + std::size_t{*pair} * 2, stride);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const __m512 factor = _mm512_set1_ps(t.x_factor[r]);
#pragma GCC unroll 4
      for (int v = 0; v < W::kVectors; ++v) {
        const std::size_t at = column + static_cast<std::size_t>(v) * 16;
        __m512i whole = sum[0][r][v];
        if constexpr (W::kSums == 2) whole = _mm512_add_epi32(whole, sum[1][r][v]);
        __m512 z = _mm512_loadu_ps(t.start[r] + at);
        if constexpr (kLayer == Layer::kFirst) z = _mm512_add_ps(z, _mm512_loadu_ps(t.more[r] + at));
        z = _mm512_fmadd_ps(_mm512_cvtepi32_ps(whole), _mm512_mul_ps(factor, _mm512_loadu_ps(t.factors + at)),
                            z);
        const std::size_t to = static_cast<std::size_t>(r) * t.h_stride + at;
        if constexpr (kLayer != Layer::kHeads) {
          const __m512 gate = _mm512_min_ps(
              _mm512_set1_ps(6), _mm512_max_ps(_mm512_setzero_ps(), _mm512_add_ps(z, _mm512_set1_ps(3))));
          z = _mm512_mul_ps(z, gate);
          const __m512 sixth = _mm512_set1_ps(1.0f / 6.0f);
          if constexpr (kLayer == Layer::kResidual)
            z = _mm512_fmadd_ps(z, sixth, _mm512_loadu_ps(t.before + to));
          else
            z = _mm512_mul_ps(z, sixth);
        }
        _mm512_storeu_ps(t.h + to, z);
      }
    }
  }
}

constexpr int kLargest = std::numeric_limits<std::int16_t>::max();

[[gnu::target("avx2,fma")]] float integers(const float* x, std::size_t count, std::int16_t* out) {
  // As integers, magnitudes are in the same order, and those that are not finite are the largest.
  const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
  __m256i most = _mm256_setzero_si256();
  std::size_t i = 0;
  for (; i + 8 <= count; i += 8)
    most = _mm256_max_epu32(
        most, _mm256_and_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i)), magnitude));
  __m128i half = _mm_max_epu32(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
  half = _mm_max_epu32(half, _mm_shuffle_epi32(half, 0x4e));
  half = _mm_max_epu32(half, _mm_shuffle_epi32(half, 0xb1));
  auto bits = static_cast<std::uint32_t>(_mm_cvtsi128_si32(half));
  for (std::size_t k = i; k < count; ++k)
    bits = std::max(bits, std::bit_cast<std::uint32_t>(x[k]) & 0x7fffffffu);
  const auto largest = std::bit_cast<float>(bits);
  const float factor = !std::isfinite(largest) ? std::numeric_limits<float>::quiet_NaN()
                       : largest > 0           ? largest / static_cast<float>(kLargest)
                                               : 1.0f;
  const __m256 over = _mm256_set1_ps(1 / factor);
  for (i = 0; i + 16 <= count; i += 16) {
    const __m256i low = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i), over)),
                  high = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i + 8), over));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i),
                        _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8));
  }
  for (; i < count; ++i)
    out[i] = static_cast<std::int16_t>(_mm_cvtsi128_si32(
        _mm_packs_epi32(_mm_cvtps_epi32(_mm_set_ss(x[i] * (1 / factor))), _mm_setzero_si128())));
  if (count % 2 != 0) out[count] = 0;
  return factor;
}

template <Layer kLayer>
constexpr WordKernel kAvx2[] = {layer<1, kLayer>, layer<2, kLayer>, layer<3, kLayer>,
                                layer<4, kLayer>, layer<5, kLayer>, layer<6, kLayer>};
template <bool kVnni, Layer kLayer>
constexpr WordKernel kAvx512[] = {wide_layer<1, kLayer, kVnni>, wide_layer<2, kLayer, kVnni>,
                                  wide_layer<3, kLayer, kVnni>, wide_layer<4, kLayer, kVnni>,
                                  wide_layer<5, kLayer, kVnni>, wide_layer<6, kLayer, kVnni>};

template <bool kVnni>
constexpr WordKernels kWide = {.first = kAvx512<kVnni, Layer::kFirst>,
                               .residual = kAvx512<kVnni, Layer::kResidual>,
                               .heads = kAvx512<kVnni, Layer::kHeads>,
                               .integers = integers};
constexpr WordKernels kNarrow = {.first = kAvx2<Layer::kFirst>,
                                 .residual = kAvx2<Layer::kResidual>,
                                 .heads = kAvx2<Layer::kHeads>,
                                 .integers = integers};

}  // namespace

const WordKernels* word_kernels(infer::Isa isa) {
  if (isa >= infer::Isa::kAvx512Narrow) return &kWide<true>;
  if (isa >= infer::Isa::kAvx512) return &kWide<false>;
  return isa >= infer::Isa::kAvx2 ? &kNarrow : nullptr;
}

}  // namespace calo::cascade
#else
namespace calo::cascade {

const WordKernels* word_kernels(infer::Isa /*isa*/) {
  return nullptr;
}

}  // namespace calo::cascade
#endif
