#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "calo/infer/operators.h"

namespace calo::infer {

/// How a window (a kernel, a pool) moves over the dimensions behind rows and channels. Read from the
/// attributes kernel_shape, strides, dilations, pads, auto_pad; checked to be in range.
struct Window {
  enum class AutoPad { kNotSet, kSameUpper, kSameLower, kValid };
  static constexpr std::int64_t kMost = std::int64_t{1} << 29;  ///< of every attribute
  static constexpr std::size_t kMaxRank = Shape::kMaxRank - 2;

  std::vector<std::int64_t> kernel, strides, dilations, pads;  ///< empty = the default
  AutoPad auto_pad = AutoPad::kNotSet;
  bool ceil_mode = false;

  explicit Window(const OnnxNode& node);

  /// One dimension of a call.
  struct Axis {
    std::int64_t in = 1, kernel = 1, stride = 1, dilation = 1, before = 0, after = 0, out = 1;
    std::int64_t reach() const { return (kernel - 1) * dilation + 1; }
  };
  using Axes = std::array<Axis, kMaxRank>;

  /// The dimensions of an input `[N, C, …]`, without pads and results of auto_pad.
  /// @param weights  shape of the weights, `[M, C, …]`, if the attribute kernel_shape may be missing; may be
  ///        null
  Axes axes(const OperatorCall& call, const Shape& input, const Shape* weights) const;
  /// With pads and results, for windows that shrink what they move over.
  Axes shrinking(const OperatorCall& call, const Shape& input, const Shape* weights) const;
};

}  // namespace calo::infer
