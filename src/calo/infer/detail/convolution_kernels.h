#pragma once

#include <cstdint>

#include "calo/infer/precision.h"

namespace calo::infer {

/// A few output channels at some positions: z = bias[m] + Σ over channels c and taps k of
/// weight[c, k, m] · x[c · channel_stride + offset[k] + place of the position]. Each sum is one chain in the
/// order of c and k, starting from the bias: its bits depend on nothing else.
struct ConvolutionTile {
  const float* weight;  ///< [channels, taps, outputs]
  const float* bias;    ///< [outputs]
  const float* x;
  std::int64_t channels;
  std::int64_t channel_stride;
  const std::int64_t* offsets;  ///< [taps]
  std::int64_t taps;
  const std::uint32_t* places;  ///< [positions]; for Layout::kChannels only
  float* z;                     ///< see Layout
};

/// Kernels for one number of output channels.
struct ConvolutionKernels {
  using Kernel = void (*)(const ConvolutionTile& tile);
  enum class Layout {
    kPositions,  ///< vectors of positions that lie side by side in x; z `[outputs, kMostPositions]`
    kChannels,   ///< vectors of output channels, at positions anywhere; z `[positions, outputs]`
  };
  static constexpr std::int64_t kMostPositions = 64;
  static constexpr std::int64_t kMostSums = 8 * kMostPositions;  ///< room for z

  Layout layout;
  std::int64_t outputs;    ///< channels at once
  std::int64_t lanes;      ///< positions of a vector; 1 for kChannels
  std::int64_t vectors;    ///< at most
  const Kernel* by_count;  ///< by vectors - 1
};

/// The kernels with the most output channels of at most `outputs`.
/// @param terms  of each sum: vectors of channels are spread out over the output one by one, which only long
///               sums are worth
const ConvolutionKernels& convolution_kernels(std::int64_t outputs, std::int64_t terms, Isa isa);

/// z[r, j] += Σ over channels c of x[r · x_stride + c] · weight[c · weight_stride + j], for rows r and
/// columns j, in the order of c: what a transposed convolution makes of inputs with one place, where columns
/// are taps and output channels.
struct OnePlaceTile {
  const float* weight;
  std::int64_t weight_stride;
  const float* x;
  std::int64_t x_stride;
  std::int64_t rows, channels, columns;
  float* z;
  std::int64_t z_stride;
};
using OnePlaceKernel = void (*)(const OnePlaceTile& tile);
OnePlaceKernel one_place_kernel(Isa isa);

}  // namespace calo::infer
