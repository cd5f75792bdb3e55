#include "calo/infer/detail/product_kernels.h"

#include <cmath>

#include "calo/infer/vectors.h"

namespace calo::infer {
namespace {

template <class T, int kLanes>
struct Lanes;
template <int kLanes>
struct Lanes<float, kLanes> {
  using Vector = typename Vectors<kLanes>::Float;
};
template <int kLanes>
struct Lanes<double, kLanes> {
  using Vector = typename Doubles<kLanes>::Double;
};
template <>
struct Lanes<float, 1> {
  using Vector = float;
};
template <>
struct Lanes<double, 1> {
  using Vector = double;
};

template <class T>
struct Matrices {
  const T *a, *b;
  T* out;
  std::int64_t m, k, n;
};

// kRows rows and kVectors vectors of columns: as many sums as the registers hold.
// (The functions for single numbers by name: g++ 12 makes products and then sums of these.)
template <bool kFused, class T, int kLanes, int kVectors, int kRows>
CALOPIPE_INLINE void tile(const Matrices<T>& t, std::int64_t row, std::int64_t column) {
  using Vector = typename Lanes<T, kLanes>::Vector;
  const std::int64_t k = t.k, n = t.n;
  const T *from = t.a + row * k, *const end = from + k, *b = t.b + column;
  T* const out = t.out + row * n + column;
  Vector sum[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) load(sum[r][v], out + r * n + v * kLanes);
  for (; from != end; ++from, b += n) {
    Vector some[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) load(some[v], b + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const T value = from[r * k];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v)
        if constexpr (kFused && kLanes == 1)
          sum[r][v] = std::fma(some[v], value, sum[r][v]);
        else
          sum[r][v] += some[v] * value;
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) store(out + r * n + v * kLanes, sum[r][v]);
}

template <bool kFused, class T, int kLanes, int kVectors, int kRows>
CALOPIPE_INLINE void columns(const Matrices<T>& t, std::int64_t column) {
  std::int64_t row = 0;
  for (; row + kRows <= t.m; row += kRows) tile<kFused, T, kLanes, kVectors, kRows>(t, row, column);
  for (; row < t.m; ++row) tile<kFused, T, kLanes, kVectors, 1>(t, row, column);
}

template <class T, int kBytes, int kVectors, int kRows>
CALOPIPE_INLINE void product(const T* a, const T* b, T* out, std::int64_t m, std::int64_t k, std::int64_t n) {
  constexpr int kLanes = kBytes / static_cast<int>(sizeof(T));
  constexpr bool kFused = kBytes > 16;
  const Matrices<T> t{.a = a, .b = b, .out = out, .m = m, .k = k, .n = n};
  std::int64_t column = 0;
  for (; column + kLanes * kVectors <= n; column += kLanes * kVectors)
    columns<kFused, T, kLanes, kVectors, kRows>(t, column);
  for (; column + kLanes <= n; column += kLanes) columns<kFused, T, kLanes, 1, kRows>(t, column);
  for (; column < n; ++column) columns<kFused, T, 1, 1, kRows>(t, column);
}

template <class T>
void product_plain(const T* a, const T* b, T* out, std::int64_t m, std::int64_t k, std::int64_t n) {
  product<T, 16, 2, 4>(a, b, out, m, k, n);
}
#if defined(__x86_64__)
template <class T>
[[gnu::target("avx2,fma")]] void product_avx2(const T* a, const T* b, T* out, std::int64_t m, std::int64_t k,
                                              std::int64_t n) {
  product<T, 32, 2, 6>(a, b, out, m, k, n);
}
template <class T>
[[gnu::target("avx512f,avx512bw")]] void product_avx512(const T* a, const T* b, T* out, std::int64_t m,
                                                        std::int64_t k, std::int64_t n) {
  product<T, 64, 4, 6>(a, b, out, m, k, n);
}
#endif

}  // namespace

template <class T>
ProductKernel<T> product_kernel([[maybe_unused]] Isa isa) {
#if defined(__x86_64__)
  if (isa >= Isa::kAvx512) return product_avx512<T>;
  if (isa >= Isa::kAvx2) return product_avx2<T>;
#endif
  return product_plain<T>;
}

template ProductKernel<float> product_kernel(Isa isa);
template ProductKernel<double> product_kernel(Isa isa);

}  // namespace calo::infer
