#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "calo/infer/activation.h"
#include "calo/infer/packed_layer.h"

namespace calo::infer {

/// A hidden layer: scale · f(weight · x + bias) + shift, the normalisation behind the function folded into
/// scale and shift. A row's bits do not depend on the other rows.
struct DenseLayer {
  PackedLayer layer;
  Activation activation;
  std::vector<float> scale, shift;  ///< empty = 1 and 0
  Isa isa = best_isa();             ///< of the function

  /// @param input `[rows, in]`  @param output `[rows, out]`  @param scratch grows to what is needed
  void forward(const float* input, std::int64_t rows, float* output, LargeArray<std::byte>& scratch) const;
};

}  // namespace calo::infer
