#include "calo/infer/convolution_kernels.h"

#include <array>

#include "calo/infer/vectors.h"

namespace calo::infer {
namespace {

using Kernel = ConvolutionKernels::Kernel;

// kOutputs x kVectors sums stay in registers for the whole product.
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
#pragma GCC unroll 8
  for (int m = 0; m < kOutputs; ++m)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v)
      store(t.z + m * ConvolutionKernels::kMostPositions + v * kLanes, sum[m][v]);
}

template <int kOutputs, int kVectors>
void plain(const ConvolutionTile& t) {
  tile<4, kOutputs, kVectors>(t);
}
#if defined(__x86_64__)
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

const ConvolutionKernels& convolution_kernels(std::int64_t outputs, [[maybe_unused]] Isa isa) {
  const auto best = [&](const auto& all) -> const ConvolutionKernels& {
    for (const ConvolutionKernels& kernels : all)
      if (kernels.outputs <= outputs) return kernels;
    return all.back();
  };
#if defined(__x86_64__)
  if (isa >= Isa::kAvx512) {
    static constexpr std::array<Kernel, 3> eight = CALOPIPE_KERNELS_3(avx512, 8);
    static constexpr std::array<Kernel, 4> four = CALOPIPE_KERNELS_4(avx512, 4),
                                           two = CALOPIPE_KERNELS_4(avx512, 2),
                                           one = CALOPIPE_KERNELS_4(avx512, 1);
    static constexpr std::array<ConvolutionKernels, 4> all = {ConvolutionKernels{8, 16, 3, eight.data()},
                                                              {4, 16, 4, four.data()},
                                                              {2, 16, 4, two.data()},
                                                              {1, 16, 4, one.data()}};
    return best(all);
  }
  if (isa >= Isa::kAvx2) {
    static constexpr std::array<Kernel, 3> four = CALOPIPE_KERNELS_3(avx2, 4);
    static constexpr std::array<Kernel, 6> two = CALOPIPE_KERNELS_6(avx2, 2);
    static constexpr std::array<Kernel, 8> one = CALOPIPE_KERNELS_8(avx2, 1);
    static constexpr std::array<ConvolutionKernels, 3> all = {
        ConvolutionKernels{4, 8, 3, four.data()}, {2, 8, 6, two.data()}, {1, 8, 8, one.data()}};
    return best(all);
  }
#endif
  static constexpr std::array<Kernel, 2> four = CALOPIPE_KERNELS_2(plain, 4);
  static constexpr std::array<Kernel, 6> one = CALOPIPE_KERNELS_6(plain, 1);
  static constexpr std::array<ConvolutionKernels, 2> all = {ConvolutionKernels{4, 4, 2, four.data()},
                                                            {1, 4, 6, one.data()}};
  return best(all);
}

}  // namespace calo::infer
