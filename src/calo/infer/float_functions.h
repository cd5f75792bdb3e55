#pragma once

#include <cstddef>

#include "calo/infer/activation.h"
#include "calo/infer/precision.h"

namespace calo::infer {

/// y[i] = f(x[i]) for whole arrays, which may be the same one. Numbers at the end of an array are calculated
/// as all others are: the bits of f(x) depend on x alone, and are the same on AVX2 and AVX-512.
///
/// Within 4 units in the last place of the true value over the whole range of floats, subnormal numbers
/// included; Gelu (both ways), Mish and HardSwish, which fall off on the left, within that and 4e-7 |x|. NaN
/// gives NaN, and infinite numbers give the limits.
using FloatFunction = void (*)(const Activation& f, const float* x, float* y, std::size_t count);

FloatFunction float_function(Activation::Kind kind, Isa isa);

}  // namespace calo::infer
