#pragma once

#include <cstdint>

#include "calo/infer/precision.h"

namespace calo::infer {

/// out[m, n] += a[m, k] · b[k, n], each sum in the order of k: with fused products from AVX2 on, so that the
/// bits are the same on all instruction sets that have them.
/// @tparam T  float or double
template <class T>
using ProductKernel = void (*)(const T* a, const T* b, T* out, std::int64_t m, std::int64_t k,
                               std::int64_t n);
template <class T>
ProductKernel<T> product_kernel(Isa isa);

}  // namespace calo::infer
