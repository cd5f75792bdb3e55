#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace calo {

/// A dense layer's weights in panels of 64 outputs, for the product with a few rows at a time.
///
/// Every output is one chain of fused multiply-adds over the inputs in their order, starting from the bias:
/// the bits do not depend on how many rows are multiplied together, nor on AVX2 or AVX-512 (plain x86-64,
/// which has no fused multiply-add, differs in the last bits).
class PackedLayer {
 public:
  static constexpr std::int64_t kPanel = 64;
  static constexpr std::int64_t kMaxRows = 6;  ///< as many sums as the registers of AVX-512 hold

  PackedLayer() = default;
  /// @param weight `[out, in]`  @param bias `[out]`
  PackedLayer(std::span<const float> weight, std::span<const float> bias, std::int64_t in);

  std::int64_t in() const { return in_; }
  std::int64_t out() const { return out_; }
  std::int64_t panels() const { return (out_ + kPanel - 1) / kPanel; }

  /// z[row, 0…63] = bias + weight · input[row] for the panel's outputs, `rows` at most kMaxRows. Outputs
  /// behind the last one are 0.
  void multiply(std::int64_t panel, const float* input, std::int64_t input_stride, std::int64_t rows,
                float* z, std::int64_t z_stride) const;

 private:
  std::int64_t in_ = 0;
  std::int64_t out_ = 0;
  std::vector<float> weight_;  // [panel, in, 64]
  std::vector<float> bias_;    // [panel, 64]
};

}  // namespace calo
