#include "calo/infer/detail/convolution_kernels.h"

#include <array>

#include "calo/infer/vectors.h"

namespace calo::infer {
namespace {

using Kernel = ConvolutionKernels::Kernel;

// kOutputs x kVectors sums stay in registers for the whole product, and beside them the fewer of an input's
// vectors and weights.
template <int kLanes, int kOutputs, int kVectors>
CALOPIPE_INLINE void tile(const ConvolutionTile& t) {
  using Vector = typename Vectors<kLanes>::Float;
  Vector sum[kOutputs][kVectors];
#pragma GCC unroll 8
  for (int m = 0; m < kOutputs; ++m)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sum[m][v] = Vector{} + t.bias[m];
  const float* weight = t.weight;
  for (std::int64_t c = 0; c < t.channels; ++c) {
    const float* const x = t.x + c * t.channel_stride;
    for (std::int64_t k = 0; k < t.taps; ++k, weight += kOutputs) {
      const float* const at = x + t.offsets[k];
      if constexpr (kOutputs < kVectors) {
        float w[kOutputs];
#pragma GCC unroll 8
        for (int m = 0; m < kOutputs; ++m) w[m] = weight[m];
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
          Vector in;
          load(in, at + v * kLanes);
#pragma GCC unroll 8
          for (int m = 0; m < kOutputs; ++m) sum[m][v] += in * w[m];
        }
      } else {
        Vector in[kVectors];
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
          Vector one;  // not into the array: g++ 12 would keep that in memory
          load(one, at + v * kLanes);
          in[v] = one;
        }
#pragma GCC unroll 8
        for (int m = 0; m < kOutputs; ++m) {
          const float w = weight[m];
#pragma GCC unroll 8
          for (int v = 0; v < kVectors; ++v) sum[m][v] += in[v] * w;
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < kOutputs; ++m)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v)
      store(t.z + m * ConvolutionKernels::kMostPositions + v * kLanes, sum[m][v]);
}

// The same with output channels side by side: kPositions x kVectors sums.
template <int kLanes, int kVectors, int kPositions>
CALOPIPE_INLINE void channels_tile(const ConvolutionTile& t) {
  using Vector = typename Vectors<kLanes>::Float;
  constexpr int kOutputs = kLanes * kVectors;
  Vector sum[kPositions][kVectors];
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v)
#pragma GCC unroll 8
    for (int p = 0; p < kPositions; ++p) load(sum[p][v], t.bias + v * kLanes);
  const float* at[kPositions];  // one register each, with one index for all
#pragma GCC unroll 8
  for (int p = 0; p < kPositions; ++p) at[p] = t.x + t.places[p];
  const float* weight = t.weight;
  const std::int64_t* const end = t.offsets + t.taps;
  for (std::int64_t c = 0, channel = 0; c < t.channels; ++c, channel += t.channel_stride) {
    for (const std::int64_t* offset = t.offsets; offset != end; ++offset, weight += kOutputs) {
      const std::int64_t index = channel + *offset;
      Vector w[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        Vector one;
        load(one, weight + v * kLanes);
        w[v] = one;
      }
#pragma GCC unroll 8
      for (int p = 0; p < kPositions; ++p) {
        const float in = at[p][index];
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) sum[p][v] += w[v] * in;
      }
    }
  }
#pragma GCC unroll 8
  for (int p = 0; p < kPositions; ++p)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) store(t.z + p * kOutputs + v * kLanes, sum[p][v]);
}

template <int kLanes, int kVectors, int kRows>
CALOPIPE_INLINE void one_place_columns(const OnePlaceTile& t, std::int64_t row, std::int64_t column) {
  using Vector = typename Vectors<kLanes>::Float;
  Vector sum[kRows][kVectors];
  float* const z = t.z + row * t.z_stride + column;
#pragma GCC unroll 16
  for (int v = 0; v < kVectors; ++v)
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) load(sum[r][v], z + r * t.z_stride + v * kLanes);
  const float* weight = t.weight + column;
  const float* const x = t.x + row * t.x_stride;
  for (std::int64_t c = 0; c < t.channels; ++c, weight += t.weight_stride) {
    if constexpr (kVectors < kRows) {
      Vector w[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        Vector one;
        load(one, weight + v * kLanes);
        w[v] = one;
      }
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const float in = x[r * t.x_stride + c];
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) sum[r][v] += w[v] * in;
      }
    } else {
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) {
        Vector w;
        load(w, weight + v * kLanes);
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) sum[r][v] += w * x[r * t.x_stride + c];
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) store(z + r * t.z_stride + v * kLanes, sum[r][v]);
}
template <int kLanes, int kMostVectors, int kRows>
CALOPIPE_INLINE void one_place_rows(const OnePlaceTile& t, std::int64_t row) {
  std::int64_t column = 0;
  for (; column + kMostVectors * kLanes <= t.columns; column += kMostVectors * kLanes)
    one_place_columns<kLanes, kMostVectors, kRows>(t, row, column);
  for (; column + kLanes <= t.columns; column += kLanes) one_place_columns<kLanes, 1, kRows>(t, row, column);
  for (; column < t.columns; ++column)
    for (int r = 0; r < kRows; ++r) {
      float sum = t.z[(row + r) * t.z_stride + column];
      for (std::int64_t c = 0; c < t.channels; ++c)
        sum += t.weight[c * t.weight_stride + column] * t.x[(row + r) * t.x_stride + c];
      t.z[(row + r) * t.z_stride + column] = sum;
    }
}
template <int kLanes, int kOneRow, int kManyRows>
CALOPIPE_INLINE void one_place(const OnePlaceTile& t) {
  std::int64_t row = 0;
  for (; row + 4 <= t.rows; row += 4) one_place_rows<kLanes, kManyRows, 4>(t, row);
  for (; row < t.rows; ++row) one_place_rows<kLanes, kOneRow, 1>(t, row);
}
void one_place_plain(const OnePlaceTile& t) {
  one_place<4, 8, 2>(t);
}

template <int kVectors, int kPositions>
void channels_plain(const ConvolutionTile& t) {
  channels_tile<4, kVectors, kPositions>(t);
}
template <int kOutputs, int kVectors>
void plain(const ConvolutionTile& t) {
  tile<4, kOutputs, kVectors>(t);
}
#if defined(__x86_64__)
[[gnu::target("avx2,fma")]] void one_place_avx2(const OnePlaceTile& t) {
  one_place<8, 8, 3>(t);
}
[[gnu::target("avx512f,avx512bw")]] void one_place_avx512(const OnePlaceTile& t) {
  one_place<16, 16, 6>(t);
}
template <int kVectors, int kPositions>
[[gnu::target("avx2,fma")]] void channels_avx2(const ConvolutionTile& t) {
  channels_tile<8, kVectors, kPositions>(t);
}
template <int kVectors, int kPositions>
[[gnu::target("avx512f,avx512bw")]] void channels_avx512(const ConvolutionTile& t) {
  channels_tile<16, kVectors, kPositions>(t);
}
template <int kOutputs, int kVectors>
[[gnu::target("avx2,fma")]] void avx2(const ConvolutionTile& t) {
  tile<8, kOutputs, kVectors>(t);
}
template <int kOutputs, int kVectors>
[[gnu::target("avx512f,avx512bw")]] void avx512(const ConvolutionTile& t) {
  tile<16, kOutputs, kVectors>(t);
}
#endif

}  // namespace

// NOLINTBEGIN(bugprone-macro-parentheses): a template cannot stand in parentheses
#define CALOPIPE_KERNELS_2(kernel, m) \
  { kernel<m, 1>, kernel<m, 2> }
#define CALOPIPE_KERNELS_3(kernel, m) \
  { kernel<m, 1>, kernel<m, 2>, kernel<m, 3> }
#define CALOPIPE_KERNELS_4(kernel, m) \
  { kernel<m, 1>, kernel<m, 2>, kernel<m, 3>, kernel<m, 4> }
#define CALOPIPE_KERNELS_6(kernel, m) \
  { kernel<m, 1>, kernel<m, 2>, kernel<m, 3>, kernel<m, 4>, kernel<m, 5>, kernel<m, 6> }
#define CALOPIPE_KERNELS_8(kernel, m)                                                                 \
  {                                                                                                   \
    kernel<m, 1>, kernel<m, 2>, kernel<m, 3>, kernel<m, 4>, kernel<m, 5>, kernel<m, 6>, kernel<m, 7>, \
        kernel<m, 8>                                                                                  \
  }
// NOLINTEND(bugprone-macro-parentheses)

namespace {

// Of at most `outputs`, and not with channels side by side for short sums.
template <class All>
const ConvolutionKernels& best_of(const All& all, std::int64_t outputs, std::int64_t terms) {
  constexpr std::int64_t kLongSum = 64;
  for (const ConvolutionKernels& kernels : all)
    if (kernels.outputs <= outputs &&
        (kernels.layout == ConvolutionKernels::Layout::kPositions || terms >= kLongSum))
      return kernels;
  return all.back();
}

}  // namespace

const ConvolutionKernels& convolution_kernels(std::int64_t outputs, std::int64_t terms,
                                              [[maybe_unused]] Isa isa) {
  using enum ConvolutionKernels::Layout;
#if defined(__x86_64__)
  if (isa >= Isa::kAvx512) {
    static constexpr std::array<Kernel, 6> wide = CALOPIPE_KERNELS_6(channels_avx512, 4);
    static constexpr std::array<Kernel, 8> middle = CALOPIPE_KERNELS_8(channels_avx512, 2),
                                           narrow = CALOPIPE_KERNELS_8(channels_avx512, 1);
    static constexpr std::array<Kernel, 3> eight = CALOPIPE_KERNELS_3(avx512, 8);
    static constexpr std::array<Kernel, 4> four = CALOPIPE_KERNELS_4(avx512, 4),
                                           two = CALOPIPE_KERNELS_4(avx512, 2),
                                           one = CALOPIPE_KERNELS_4(avx512, 1);
    static constexpr std::array<ConvolutionKernels, 7> all = {
        ConvolutionKernels{kChannels, 64, 1, 6, wide.data()},
        {kChannels, 32, 1, 8, middle.data()},
        {kChannels, 16, 1, 8, narrow.data()},
        {kPositions, 8, 16, 3, eight.data()},
        {kPositions, 4, 16, 4, four.data()},
        {kPositions, 2, 16, 4, two.data()},
        {kPositions, 1, 16, 4, one.data()}};
    return best_of(all, outputs, terms);
  }
  if (isa >= Isa::kAvx2) {
    static constexpr std::array<Kernel, 6> wide = CALOPIPE_KERNELS_6(channels_avx2, 2);
    static constexpr std::array<Kernel, 8> narrow = CALOPIPE_KERNELS_8(channels_avx2, 1);
    static constexpr std::array<Kernel, 3> four = CALOPIPE_KERNELS_3(avx2, 4);
    static constexpr std::array<Kernel, 6> two = CALOPIPE_KERNELS_6(avx2, 2);
    static constexpr std::array<Kernel, 8> one = CALOPIPE_KERNELS_8(avx2, 1);
    static constexpr std::array<ConvolutionKernels, 5> all = {
        ConvolutionKernels{kChannels, 16, 1, 6, wide.data()},
        {kChannels, 8, 1, 8, narrow.data()},
        {kPositions, 4, 8, 3, four.data()},
        {kPositions, 2, 8, 6, two.data()},
        {kPositions, 1, 8, 8, one.data()}};
    return best_of(all, outputs, terms);
  }
#endif
  static constexpr std::array<Kernel, 4> wide = CALOPIPE_KERNELS_4(channels_plain, 2);
  static constexpr std::array<Kernel, 2> four = CALOPIPE_KERNELS_2(plain, 4);
  static constexpr std::array<Kernel, 6> one = CALOPIPE_KERNELS_6(plain, 1);
  static constexpr std::array<ConvolutionKernels, 3> all = {
      ConvolutionKernels{kChannels, 8, 1, 4, wide.data()},
      {kPositions, 4, 4, 2, four.data()},
      {kPositions, 1, 4, 6, one.data()}};
  return best_of(all, outputs, terms);
}

OnePlaceKernel one_place_kernel([[maybe_unused]] Isa isa) {
#if defined(__x86_64__)
  if (isa >= Isa::kAvx512) return one_place_avx512;
  if (isa >= Isa::kAvx2) return one_place_avx2;
#endif
  return one_place_plain;
}

}  // namespace calo::infer
