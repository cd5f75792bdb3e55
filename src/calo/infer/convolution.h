#pragma once

#include <cstdint>
#include <vector>

#include "calo/infer/convolution_kernels.h"
#include "calo/infer/large_array.h"
#include "calo/infer/operators.h"
#include "calo/infer/precision.h"
#include "calo/infer/tensor.h"
#include "calo/infer/window.h"

namespace calo::infer {

/// Conv or ConvTranspose in one way for both: strides take the input (Conv) or the output (ConvTranspose)
/// apart into phases, in each of which neighbours lie side by side, so that a kernel only adds up what lies
/// at fixed distances. A row's bits do not depend on the other rows.
class Convolution {
 public:
  /// @throws core::InputError where an attribute is not known or out of range
  Convolution(const OnnxNode& node, bool transposed, Isa isa = best_isa());

  /// Weights of some operator, ordered for the kernels.
  struct Packed {
    struct Axis {  // one dimension: its taps by phase of the output
      struct Phase {
        std::int64_t phase = 0;
        std::vector<std::int64_t> taps;
      };
      std::vector<Phase> phases;
    };
    struct Block {  // some output channels in one phase of the output
      const ConvolutionKernels* kernels = nullptr;
      std::int64_t group = 0, first = 0, outputs = 0;
      std::size_t phase = 0;  // in the order of all combinations
      std::size_t weight = 0;
    };
    Shape shape;
    std::vector<Axis> axes;
    std::vector<std::vector<std::int64_t>> taps;  // of each combination of phases: tap numbers, all axes
    std::vector<Block> blocks;
    LargeArray<float> weight;
    std::size_t bytes() const { return weight.size() * sizeof(float); }
  };
  /// @throws core::InputError where they do not fit the attributes
  Packed pack(const OperatorCall& call, const Tensor& weights) const;

  /// @throws core::InputError where they do not fit together
  Shape output_shape(const Shape& input, const Shape& weights) const;

  /// @param packed  of input 1, or null
  void run(OperatorCall& call, const Packed* packed) const;

 private:
  struct Plan;
  Plan plan(const OperatorCall& call, const Shape& input, const Shape& weights) const;
  template <class T>
  void run_plain(OperatorCall& call, const Plan& plan, Tensor& out) const;

  bool transposed_;
  Isa isa_;
  Window window_;
  std::int64_t group_ = 1;
  std::vector<std::int64_t> output_padding_, output_shape_;
};

}  // namespace calo::infer
