#include "calo/torch/networks/detail/add_scaled.h"

#include "core/simd.h"

namespace calo {

CALOPIPE_SIMD_CLONES void add_scaled(float* __restrict out, const float* __restrict row, float factor,
                                     std::size_t count) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) out[i] += factor * row[i];
}

}  // namespace calo
