#pragma once

#include <cstddef>

namespace calo::infer {

/// Elementwise functions, as ONNX defines them.
struct Activation {
  enum class Kind { kIdentity, kRelu, kLeakyRelu, kElu, kSelu, kTanh, kSigmoid, kSoftplus, kGelu };

  Kind kind = Kind::kIdentity;
  float alpha = 0;                     ///< slope of leaky_relu, factor of elu and selu
  float gamma = 1.0507009873554805f;   ///< of selu

  static constexpr float kSeluAlpha = 1.6732632423543772f;

  float operator()(float x) const;
  /// In place, scale · f(x), vectorised where it pays. The bits do not depend on where in `x` a number stands,
  /// for `count` a multiple of 16.
  void apply(float* x, std::size_t count, float scale) const;

  /// The largest z that is surely below the place where f reaches `y`, so that what lies below it needs no
  /// function: minus infinity where that cannot be said. Holds against the rounding of apply().
  float surely_below(double y) const;
};

}  // namespace calo::infer
