#include "calo/infer/cascade/hard_swish.h"

#include <algorithm>

#include "core/simd.h"

namespace calo::cascade {
namespace {

CALOPIPE_SIMD_CLONES void swish(const float* __restrict x, float* __restrict h, std::size_t count) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) {
    const float gate = std::min(std::max(x[i] + 3.0f, 0.0f), 6.0f);
    h[i] = x[i] * gate * (1.0f / 6.0f);
  }
}

CALOPIPE_SIMD_CLONES void swish_of_sum(const float* __restrict x, const float* __restrict a,
                                       const float* __restrict b, float* __restrict h, std::size_t count) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) {
    const float sum = x[i] + a[i] + b[i], gate = std::min(std::max(sum + 3.0f, 0.0f), 6.0f);
    h[i] = sum * gate * (1.0f / 6.0f);
  }
}
CALOPIPE_SIMD_CLONES void swish_of_sum(const float* __restrict x, const float* __restrict a,
                                       float* __restrict h, std::size_t count) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) {
    const float sum = x[i] + a[i], gate = std::min(std::max(sum + 3.0f, 0.0f), 6.0f);
    h[i] = sum * gate * (1.0f / 6.0f);
  }
}

}  // namespace

CALOPIPE_SIMD_CLONES void add_hard_swish(const float* __restrict x, const float* before, float* h,
                                         std::size_t count) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) {
    const float gate = std::min(std::max(x[i] + 3.0f, 0.0f), 6.0f);
    h[i] = before[i] + x[i] * gate * (1.0f / 6.0f);
  }
}

void hard_swish_of_sum(const float* x, const float* a, const float* b, float* h, std::size_t count) {
  if (a != nullptr && b != nullptr)
    swish_of_sum(x, a, b, h, count);
  else if (a != nullptr || b != nullptr)
    swish_of_sum(x, a != nullptr ? a : b, h, count);
  else
    swish(x, h, count);
}

}  // namespace calo::cascade
