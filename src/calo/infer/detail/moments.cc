#include "calo/infer/detail/moments.h"

#include "calo/infer/vectors.h"

namespace calo::infer {
namespace {

constexpr std::size_t kSums = 32;  // as many on each instruction set

// (By name for g++ 12, which converts halves of the vector by way of memory.)
template <int kLanes>
CALOPIPE_INLINE void load_as_doubles(typename Doubles<kLanes>::Double& to, const float* from) {
#if defined(__x86_64__) && !defined(__clang__)
  const auto& some = *reinterpret_cast<const float(*)[kLanes]>(from);
  if constexpr (kLanes > 2)
    asm("vcvtps2pd %1, %0" : "=v"(to) : "m"(some));
  else
    asm("cvtps2pd %1, %0" : "=x"(to) : "m"(some));
#else
  typename Doubles<kLanes>::Float some;
  load(some, from);
  to = __builtin_convertvector(some, typename Doubles<kLanes>::Double);
#endif
}

// Of the numbers' distances from a mean, or of the squares of those: the sums of those at i, i + 32, i + 64,
// …, added in pairs.
template <int kLanes, bool kSquares>
CALOPIPE_INLINE double sum_of(const float* x, std::size_t count, double mean) {
  constexpr int kVectors = static_cast<int>(kSums) / kLanes;
  using Double = typename Doubles<kLanes>::Double;
  constexpr int kAtOnce = kVectors < 8 ? kVectors : 8;  // as many as the registers hold beside what comes in
  Double sums[kVectors] = {};
  const std::size_t whole = count / kSums * kSums;
#pragma GCC unroll 2
  for (int first = 0; first < kVectors; first += kAtOnce) {
    Double some[kAtOnce] = {};
    for (std::size_t i = 0; i < whole; i += kSums)
#pragma GCC unroll 8
      for (int v = 0; v < kAtOnce; ++v) {
        Double y;
        load_as_doubles<kLanes>(y, x + i + static_cast<std::size_t>((first + v) * kLanes));
        y -= mean;
        some[v] += kSquares ? y * y : y;
      }
#pragma GCC unroll 8
    for (int v = 0; v < kAtOnce; ++v) sums[first + v] = some[v];
  }
  // The rest too by vectors, with zeros for what is not there.
  double all[kSums] = {};
  for (std::size_t k = 0; whole + k < count; ++k) all[k] = static_cast<double>(x[whole + k]) - mean;
#pragma GCC unroll 16
  for (int v = 0; v < kVectors; ++v) {
    Double y;
    load(y, all + v * kLanes);
    sums[v] += kSquares ? y * y : y;
  }
#pragma GCC unroll 8
  for (int half = kVectors / 2; half > 0; half /= 2)
#pragma GCC unroll 8
    for (int v = 0; v < half; ++v) sums[v] += sums[v + half];
  store(all, sums[0]);
#pragma GCC unroll 8
  for (int half = kLanes / 2; half > 0; half /= 2)
#pragma GCC unroll 8
    for (int k = 0; k < half; ++k) all[k] += all[k + half];
  return all[0];
}

template <int kLanes>
CALOPIPE_INLINE void moments(const float* x, std::size_t count, double& mean, double& variance) {
  mean = sum_of<kLanes, false>(x, count, 0) / static_cast<double>(count);
  variance = sum_of<kLanes, true>(x, count, mean) / static_cast<double>(count);
}

template <int kLanes>
CALOPIPE_INLINE void affine(const float* x, std::size_t count, float scale, float shift, float* y) {
  using Float = typename Vectors<kLanes>::Float;
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    Float some;
    load(some, x + i);
    some = some * scale + shift;
    store(y + i, some);
  }
  for (; i < count; ++i) y[i] = x[i] * scale + shift;
}

void moments_plain(const float* x, std::size_t count, double& mean, double& variance) {
  moments<2>(x, count, mean, variance);
}
void affine_plain(const float* x, std::size_t count, float scale, float shift, float* y) {
  affine<4>(x, count, scale, shift, y);
}
#if defined(__x86_64__)
[[gnu::target("avx2,fma")]] void moments_avx2(const float* x, std::size_t count, double& mean,
                                              double& variance) {
  moments<4>(x, count, mean, variance);
}
[[gnu::target("avx2,fma")]] void affine_avx2(const float* x, std::size_t count, float scale, float shift,
                                             float* y) {
  affine<8>(x, count, scale, shift, y);
}
[[gnu::target("avx512f,avx512bw")]] void moments_avx512(const float* x, std::size_t count, double& mean,
                                                        double& variance) {
  moments<8>(x, count, mean, variance);
}
[[gnu::target("avx512f,avx512bw")]] void affine_avx512(const float* x, std::size_t count, float scale,
                                                       float shift, float* y) {
  affine<16>(x, count, scale, shift, y);
}
#endif

}  // namespace

MomentsKernel moments_kernel([[maybe_unused]] Isa isa) {
#if defined(__x86_64__)
  if (isa >= Isa::kAvx512) return moments_avx512;
  if (isa >= Isa::kAvx2) return moments_avx2;
#endif
  return moments_plain;
}

AffineKernel affine_kernel([[maybe_unused]] Isa isa) {
#if defined(__x86_64__)
  if (isa >= Isa::kAvx512) return affine_avx512;
  if (isa >= Isa::kAvx2) return affine_avx2;
#endif
  return affine_plain;
}

}  // namespace calo::infer
