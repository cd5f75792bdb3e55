#pragma once

#include <cstddef>

#include "calo/infer/precision.h"

namespace calo::cascade {

/// h = before + f(x) with f(x) = x · min(max(x + 3, 0), 6) / 6, hard-swish, which every hidden layer has;
/// `before` may be h.
void add_hard_swish(const float* x, const float* before, float* h, std::size_t count,
                    infer::Isa isa = infer::best_isa());
/// h = f(x + a + b); a and b may be null.
void hard_swish_of_sum(const float* x, const float* a, const float* b, float* h, std::size_t count,
                       infer::Isa isa = infer::best_isa());

}  // namespace calo::cascade
