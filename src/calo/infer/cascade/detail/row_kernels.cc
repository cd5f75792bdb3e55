#include "calo/infer/cascade/detail/row_kernels.h"

#include <algorithm>
#include <bit>

#include "calo/infer/vectors.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace calo::cascade {
namespace {

using infer::Isa;
using infer::Vectors;

enum class Layer { kFirst, kResidual };

// Outputs from `column` on: as many sums as the registers hold.
template <int kLanes, int kVectors, int kRows, Layer kLayer>
CALOPIPE_INLINE void some_outputs(const RowTile& t, const float* weight, std::size_t column) {
  using Float = typename Vectors<kLanes>::Float;
  Float sum[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      infer::load(sum[r][v], t.start[r] + column + v * kLanes);
      if constexpr (kLayer == Layer::kFirst) {
        Float more;
        infer::load(more, t.more[r] + column + v * kLanes);
        sum[r][v] += more;
      }
    }
  const float* const x = t.x;
  const std::size_t stride = t.x_stride;
  const std::uint32_t *input = t.inputs, *const end = input + t.count;
  for (; input != end; ++input) {
    const float* const w = weight + std::size_t{*input} * RowTile::kPanel;
    const float* const from = x + *input;
    // Whichever there are fewer of stays in registers: numbers of the rows, or weights.
    if constexpr (kRows <= 3) {
      float values[kRows];
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) values[r] = from[static_cast<std::size_t>(r) * stride];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        Float weights;
        infer::load(weights, w + v * kLanes);
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r) sum[r][v] += weights * values[r];
      }
    } else {
      Float weights[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) infer::load(weights[v], w + v * kLanes);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const float value = from[static_cast<std::size_t>(r) * stride];
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) sum[r][v] += weights[v] * value;
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const std::size_t at = column + static_cast<std::size_t>(v * kLanes);
      Float gate = sum[r][v] + 3.0f;
      infer::clamp<kLanes>(gate, 0.0f, 6.0f);
      Float y = sum[r][v] * gate;
      if constexpr (kLayer == Layer::kResidual) {
        Float before;
        infer::load(before, x + static_cast<std::size_t>(r) * stride + at);
        y = before + y * (1.0f / 6.0f);
      } else {
        y = y * (1.0f / 6.0f);
      }
      infer::store(t.h + static_cast<std::size_t>(r) * t.h_stride + at, y);
    }
}

template <int kLanes, int kVectors, int kRows, Layer kLayer>
CALOPIPE_INLINE void all_outputs(const RowTile& t) {
  constexpr std::size_t kAtOnce = kLanes * kVectors;
  static_assert(RowTile::kPanel % kAtOnce == 0);
  for (std::size_t column = 0; column < t.out; column += kAtOnce)
    some_outputs<kLanes, kVectors, kRows, kLayer>(
        t, t.weight + column / RowTile::kPanel * RowTile::kPanel * t.in + column % RowTile::kPanel, column);
}

template <int kLanes, int kRows>
CALOPIPE_INLINE void all_heads(const RowTile& t) {
  using Float = typename Vectors<kLanes>::Float;
  constexpr int kVectors = static_cast<int>(RowTile::kHeads) / kLanes, kAtOnce = kVectors < 2 ? 1 : 2;
  for (std::size_t column = 0; column < RowTile::kHeads; column += kAtOnce * kLanes) {
    Float even[kRows][kAtOnce], odd[kRows][kAtOnce] = {};
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < kAtOnce; ++v) infer::load(even[r][v], t.start[r] + column + v * kLanes);
    const float *w = t.weight + column, *x = t.x;
    const std::size_t stride = t.x_stride;
    for (const float* const end = x + t.in; x != end; x += 2, w += 2 * RowTile::kHeads) {
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
        for (int v = 0; v < kAtOnce; ++v) {
          Float first, second;
          infer::load(first, w + v * kLanes);
          infer::load(second, w + RowTile::kHeads + v * kLanes);
          even[r][v] += first * x[static_cast<std::size_t>(r) * stride];
          odd[r][v] += second * x[static_cast<std::size_t>(r) * stride + 1];
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < kAtOnce; ++v)
        infer::store(t.h + static_cast<std::size_t>(r) * t.h_stride + column + v * kLanes,
                     even[r][v] + odd[r][v]);
  }
}

// Eight sums of each, whatever the vectors' size.
template <int kLanes>
CALOPIPE_INLINE void dot_twice(const float* h, const float* first, const float* second, std::size_t count,
                               float out[2]) {
  using Float = typename Vectors<kLanes>::Float;
  constexpr int kParts = 8 / kLanes;
  Float one[kParts] = {}, two[kParts] = {};
  for (std::size_t i = 0; i < count; i += 8)
#pragma GCC unroll 2
    for (int part = 0; part < kParts; ++part) {
      Float x, a, b;
      infer::load(x, h + i + part * kLanes);
      infer::load(a, first + i + part * kLanes);
      infer::load(b, second + i + part * kLanes);
      one[part] += x * a;
      two[part] += x * b;
    }
  float sums[2][8];
  for (int part = 0; part < kParts; ++part) {
    infer::store(sums[0] + part * kLanes, one[part]);
    infer::store(sums[1] + part * kLanes, two[part]);
  }
  for (int i = 0; i < 2; ++i) {
    const float* s = sums[i];
    out[i] = ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
  }
}

using Word = std::uint32_t __attribute__((may_alias));

std::size_t in_use_plain(const void* x, std::size_t x_stride, std::size_t rows, std::size_t in,
                         std::uint32_t* out) {
  const auto* const words = static_cast<const Word*>(x);
  std::size_t count = 0;
  for (std::size_t k = 0; k < in; ++k) {
    Word bits = 0;
    for (std::size_t r = 0; r < rows; ++r) bits |= words[r * x_stride + k];
    out[count] = static_cast<std::uint32_t>(k);
    count += bits != 0 ? 1 : 0;
  }
  return count;
}

// How many vectors of sums a row gets where 16 registers hold those of all rows.
constexpr int vectors_of(int rows) {
  return rows == 1 ? 8 : rows <= 3 ? 4 : 2;
}

template <int kRows, Layer kLayer>
void layer_plain(const RowTile& t) {
  all_outputs<4, kRows == 3 ? 2 : vectors_of(kRows), kRows, kLayer>(t);
}
template <int kRows>
void heads_plain(const RowTile& t) {
  all_heads<4, kRows>(t);
}
void products_plain(const float* h, const float* first, const float* second, std::size_t count,
                    float out[2]) {
  dot_twice<4>(h, first, second, count, out);
}

#if defined(__x86_64__)
template <int kRows, Layer kLayer>
[[gnu::target("avx2,fma")]] void layer_avx2(const RowTile& t) {
  all_outputs<8, vectors_of(kRows), kRows, kLayer>(t);
}
template <int kRows>
[[gnu::target("avx2,fma")]] void heads_avx2(const RowTile& t) {
  all_heads<8, kRows>(t);
}
[[gnu::target("avx2,fma")]] void products_avx2(const float* h, const float* first, const float* second,
                                               std::size_t count, float out[2]) {
  dot_twice<8>(h, first, second, count, out);
}
[[gnu::target("avx2,bmi")]] std::size_t in_use_avx2(const void* x, std::size_t x_stride, std::size_t rows,
                                                    std::size_t in, std::uint32_t* out) {
  const auto* const words = static_cast<const Word*>(x);
  std::size_t count = 0, k = 0;
  for (; k + 8 <= in; k += 8) {
    __m256i bits = _mm256_setzero_si256();
    for (std::size_t r = 0; r < rows; ++r)
      bits = _mm256_or_si256(bits,
                             _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words + r * x_stride + k)));
    const __m256i is_zero = _mm256_cmpeq_epi32(bits, _mm256_setzero_si256());
    auto used = ~static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(is_zero))) & 0xffu;
    for (; used != 0; used &= used - 1)
      out[count++] = static_cast<std::uint32_t>(k) + static_cast<std::uint32_t>(std::countr_zero(used));
  }
  const std::size_t rest = in_use_plain(words + k, x_stride, rows, in - k, out + count);
  for (std::size_t i = 0; i < rest; ++i) out[count + i] += static_cast<std::uint32_t>(k);
  return count + rest;
}
template <int kRows, Layer kLayer>
[[gnu::target("avx512f,avx512bw")]] void layer_avx512(const RowTile& t) {
  all_outputs<16, kRows <= 3 ? 4 : 2, kRows, kLayer>(t);
}
template <int kRows>
[[gnu::target("avx512f,avx512bw")]] void heads_avx512(const RowTile& t) {
  all_heads<16, kRows>(t);
}
#endif

template <RowKernel... kKernels>
constexpr RowKernel kTable[] = {kKernels...};

// NOLINTBEGIN(bugprone-macro-parentheses): a template cannot stand in parentheses
#define CALOPIPE_BY_ROWS(kernel, layer)                                                            \
  kTable<kernel<1, layer>, kernel<2, layer>, kernel<3, layer>, kernel<4, layer>, kernel<5, layer>, \
         kernel<6, layer>>
// NOLINTEND(bugprone-macro-parentheses)

}  // namespace

const RowKernels& row_kernels([[maybe_unused]] Isa isa) {
  static const RowKernels plain = {.first = CALOPIPE_BY_ROWS(layer_plain, Layer::kFirst),
                                   .residual = CALOPIPE_BY_ROWS(layer_plain, Layer::kResidual),
                                   .heads = kTable<heads_plain<1>, heads_plain<2>, heads_plain<3>>,
                                   .two_products = products_plain,
                                   .words_in_use = in_use_plain};
#if defined(__x86_64__)
  static const RowKernels avx2 = {.first = CALOPIPE_BY_ROWS(layer_avx2, Layer::kFirst),
                                  .residual = CALOPIPE_BY_ROWS(layer_avx2, Layer::kResidual),
                                  .heads = kTable<heads_avx2<1>, heads_avx2<2>, heads_avx2<3>>,
                                  .two_products = products_avx2,
                                  .words_in_use = in_use_avx2},
                          avx512 = {.first = CALOPIPE_BY_ROWS(layer_avx512, Layer::kFirst),
                                    .residual = CALOPIPE_BY_ROWS(layer_avx512, Layer::kResidual),
                                    .heads = kTable<heads_avx512<1>, heads_avx512<2>, heads_avx512<3>>,
                                    .two_products = products_avx2,
                                    .words_in_use = in_use_avx2};
  if (isa >= Isa::kAvx512) return avx512;
  if (isa >= Isa::kAvx2) return avx2;
#endif
  return plain;
}

}  // namespace calo::cascade
