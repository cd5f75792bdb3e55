#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "calo/infer/activation.h"
#include "calo/infer/detail/convolution_geometry.h"
#include "calo/infer/detail/convolution_kernels.h"
#include "calo/infer/detail/window.h"
#include "calo/infer/large_array.h"
#include "calo/infer/operators.h"
#include "calo/infer/precision.h"
#include "calo/infer/tensor.h"

namespace calo::infer {

/// Conv or ConvTranspose in one way for both: strides take the input (Conv) or the output (ConvTranspose)
/// apart into phases, in each of which neighbours lie side by side, so that a kernel only adds up what lies
/// at fixed distances. A row's bits do not depend on the other rows.
class Convolution {
 public:
  /// @throws core::InputError if an attribute is not known or out of range
  Convolution(const OnnxNode& node, bool transposed, Isa isa = best_isa());

  /// What is done to a sum before it is written: scale · f(sum) + shift.
  struct After {
    Activation activation;
    std::vector<float> scale, shift;  ///< by output channel; empty = 1 and 0
  };

  /// What a packed convolution takes with it.
  struct Folded {
    std::vector<double> factor;  ///< of the weights, by output channel; empty = 1
    std::vector<float> bias;     ///< instead of input 2; empty = that one
    After after;
  };

  /// Weights of some operator, ordered for the kernels.
  struct Packed {
    struct Block {  // some output channels in one phase of the output
      const ConvolutionKernels* kernels = nullptr;
      std::int64_t group = 0, first = 0, outputs = 0;
      std::size_t phase = 0;  // in the order of all combinations
      std::size_t weight = 0;
    };
    Shape shape;
    std::vector<ConvolutionAxis> axes;
    std::vector<std::vector<std::int64_t>> taps;  // of each combination of phases: tap numbers, all axes
    std::vector<Block> blocks;
    LargeArray<float> weight;
    std::vector<float> bias;  // by output channel; empty = input 2
    After after;
    bool has_channel_kernels = false;
    std::size_t bytes() const { return weight.size() * sizeof(float); }
  };
  /// Of weights of Conv or ConvTranspose.
  std::int64_t output_channels(const Shape& weights) const {
    return transposed_ ? weights[1] * group_ : weights[0];
  }
  /// @throws core::InputError if they do not fit the attributes
  Packed pack(const OperatorCall& call, const Tensor& weights, Folded folded) const;

  /// @throws core::InputError if they do not fit together
  Shape output_shape(const Shape& input, const Shape& weights) const;

  /// @param packed  of input 1, or null
  void run(OperatorCall& call, const Packed* packed) const;

 private:
  struct Geometry;
  class OneRun;
  using Plan = ConvolutionPlan;
  Plan plan(const OperatorCall& call, const Shape& input, const Shape& weights) const;
  const Geometry& geometry(OperatorCall& call, const Packed& packed, const Plan& plan,
                           std::unique_ptr<Kept>& local) const;
  template <class T>
  void run_plain(OperatorCall& call, const Plan& plan, Tensor& out) const;

  bool transposed_;
  Isa isa_;
  Window window_;
  std::int64_t group_ = 1;
  std::vector<std::int64_t> output_padding_, output_shape_;
  std::shared_ptr<const int> identity_ = std::make_shared<int>();  // tells what was kept by another
};

}  // namespace calo::infer
