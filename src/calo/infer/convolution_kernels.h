#pragma once

#include <cstdint>

#include "calo/infer/precision.h"

namespace calo::infer {

/// A few output channels at some positions that lie side by side: z[m, j] = bias[m] + Σ over channels c and
/// taps k of weight[c, k, m] · x[c · channel_stride + offset[k] + j]. Each sum is one chain in the order of c
/// and k, starting from the bias: its bits depend on nothing else.
struct ConvolutionTile {
  const float* weight;  ///< [channels, taps, outputs]
  const float* bias;    ///< [outputs]
  const float* x;
  std::int64_t channels;
  std::int64_t channel_stride;
  const std::int64_t* offsets;  ///< [taps]
  std::int64_t taps;
  float* z;  ///< [outputs, kMostPositions]
};

/// Kernels for one number of output channels.
struct ConvolutionKernels {
  using Kernel = void (*)(const ConvolutionTile& tile);
  static constexpr std::int64_t kMostPositions = 64;

  std::int64_t outputs;    ///< channels at once
  std::int64_t lanes;      ///< positions of a vector
  std::int64_t vectors;    ///< at most
  const Kernel* by_count;  ///< by vectors - 1
};

/// The kernels with the most output channels of at most `outputs`.
const ConvolutionKernels& convolution_kernels(std::int64_t outputs, Isa isa);

}  // namespace calo::infer
