#include "calo/generate/packed_layer.h"

#include <array>

namespace calo {
namespace {

constexpr std::int64_t kPanel = PackedLayer::kPanel;

// Vectors as the compiler knows them, read and written at any address.
using Vector16 = float __attribute__((vector_size(64), aligned(4), may_alias));
using Vector8 = float __attribute__((vector_size(32), aligned(4), may_alias));
using Vector4 = float __attribute__((vector_size(16), aligned(4), may_alias));

// kRows x kVectors sums stay in registers for the whole product.
template <class Vector, int kVectors, int kRows>
[[gnu::always_inline]] inline void tile(const float* weight, const float* bias, std::int64_t depth,
                                        const float* input, std::int64_t input_stride, float* z,
                                        std::int64_t z_stride) {
  constexpr std::int64_t kLanes = sizeof(Vector) / sizeof(float);
  for (std::int64_t column = 0; column < kPanel; column += kVectors * kLanes) {
    Vector sum[kRows][kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v)
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r)
        sum[r][v] = *reinterpret_cast<const Vector*>(bias + column + v * kLanes);
    for (std::int64_t k = 0; k < depth; ++k) {
      const float* at = weight + k * kPanel + column;
      Vector w[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) w[v] = *reinterpret_cast<const Vector*>(at + v * kLanes);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const float x = input[r * input_stride + k];
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) sum[r][v] += w[v] * x;
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v)
        *reinterpret_cast<Vector*>(z + r * z_stride + column + v * kLanes) = sum[r][v];
  }
}

using Multiply = void (*)(const float* weight, const float* bias, std::int64_t depth, const float* input,
                          std::int64_t input_stride, float* z, std::int64_t z_stride);

template <int kRows>
void multiply_plain(const float* weight, const float* bias, std::int64_t depth, const float* input,
                    std::int64_t input_stride, float* z, std::int64_t z_stride) {
  tile<Vector4, 2, kRows>(weight, bias, depth, input, input_stride, z, z_stride);
}
template <template <int> class Kernel>
constexpr std::array<Multiply, 6> by_rows() {
  return {Kernel<1>::run, Kernel<2>::run, Kernel<3>::run, Kernel<4>::run, Kernel<5>::run, Kernel<6>::run};
}
template <int kRows>
struct Plain {
  static constexpr Multiply run = multiply_plain<kRows>;
};

#if defined(__x86_64__)
template <int kRows>
[[gnu::target("avx2,fma")]] void multiply_avx2(const float* weight, const float* bias, std::int64_t depth,
                                               const float* input, std::int64_t input_stride, float* z,
                                               std::int64_t z_stride) {
  tile<Vector8, 2, kRows>(weight, bias, depth, input, input_stride, z, z_stride);
}
template <int kRows>
struct Avx2 {
  static constexpr Multiply run = multiply_avx2<kRows>;
};

template <int kRows>
[[gnu::target("avx512f")]] void multiply_avx512(const float* weight, const float* bias, std::int64_t depth,
                                                const float* input, std::int64_t input_stride, float* z,
                                                std::int64_t z_stride) {
  tile<Vector16, 4, kRows>(weight, bias, depth, input, input_stride, z, z_stride);
}
template <int kRows>
struct Avx512 {
  static constexpr Multiply run = multiply_avx512<kRows>;
};
#endif

std::array<Multiply, 6> choose() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return by_rows<Avx512>();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return by_rows<Avx2>();
#endif
  return by_rows<Plain>();
}

}  // namespace

PackedLayer::PackedLayer(std::span<const float> weight, std::span<const float> bias, std::int64_t in)
    : in_(in), out_(static_cast<std::int64_t>(bias.size())) {
  weight_.assign(static_cast<std::size_t>(panels() * in_ * kPanel), 0.0f);
  bias_.assign(static_cast<std::size_t>(panels() * kPanel), 0.0f);
  for (std::int64_t j = 0; j < out_; ++j) {
    bias_[static_cast<std::size_t>(j)] = bias[static_cast<std::size_t>(j)];
    for (std::int64_t k = 0; k < in_; ++k)
      weight_[static_cast<std::size_t>((j / kPanel * in_ + k) * kPanel + j % kPanel)] =
          weight[static_cast<std::size_t>(j * in_ + k)];
  }
}

void PackedLayer::multiply(std::int64_t panel, const float* input, std::int64_t input_stride,
                           std::int64_t rows, float* z, std::int64_t z_stride) const {
  static const std::array<Multiply, 6> kernels = choose();
  kernels[static_cast<std::size_t>(rows - 1)](weight_.data() + panel * in_ * kPanel,
                                              bias_.data() + panel * kPanel, in_, input, input_stride, z,
                                              z_stride);
}

}  // namespace calo
