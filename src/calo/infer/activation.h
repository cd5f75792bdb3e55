#pragma once

namespace calo::infer {

/// Elementwise functions, as ONNX defines them.
struct Activation {
  enum class Kind {
    kIdentity,
    kRelu,
    kLeakyRelu,
    kElu,
    kSelu,
    kCelu,
    kTanh,
    kSigmoid,
    kSoftplus,
    kGelu,
    kGeluTanh,
    kMish,
    kHardSigmoid,
    kHardSwish,
    kSoftsign,
    kExp,
    kErf
  };

  Kind kind = Kind::kIdentity;
  float alpha = 0;                    ///< slope of leaky_relu and hard_sigmoid, factor of elu, selu and celu
  float gamma = 1.0507009873554805f;  ///< factor of selu, what hard_sigmoid adds

  static constexpr float kSeluAlpha = 1.6732632423543772f;

  float operator()(float x) const;
  /// The largest z that is surely below the place where f reaches `y`, so that what lies below it needs no
  /// function: minus infinity where that cannot be said. Holds against the rounding of cell_kernels.
  float surely_below(double y) const;
};

}  // namespace calo::infer
