#pragma once

#include <cstddef>

#include "calo/infer/precision.h"

namespace calo::infer {

/// Mean and variance of `count` numbers, at least one, in double: in sums side by side that are added in a
/// fixed order, which depends on the count alone.
using MomentsKernel = void (*)(const float* x, std::size_t count, double& mean, double& variance);
MomentsKernel moments_kernel(Isa isa);

/// y[i] = x[i] · scale + shift
using AffineKernel = void (*)(const float* x, std::size_t count, float scale, float shift, float* y);
AffineKernel affine_kernel(Isa isa);

}  // namespace calo::infer
