#pragma once

#include <cstddef>
#include <cstdint>

#include "calo/infer/precision.h"

namespace calo::cascade {

/// One dense layer for a few rows with integer weights of 8 bits: rows are integers of 16 bits times a
/// factor, weights are kept as words of 16 bits, sums are exact. The bits depend neither on the other rows
/// nor on the instruction set.
struct WordTile {
  static constexpr std::size_t kPanel = 64;  ///< outputs whose weights are together; heads: kHeads
  static constexpr std::size_t kHeads = 16;
  static constexpr std::size_t kMostRows = 6;
  static constexpr std::size_t kMostInputs = 512;  ///< so that sums stay in 31 bits

  const std::int16_t* weight = nullptr;  ///< `[panel, pairs, kPanel, 2]`
  const float* factors = nullptr;        ///< of the weights, `[out]`
  std::size_t pairs = 0, out = 0;        ///< pairs of inputs; out: a multiple of kPanel, or kHeads
  const std::uint32_t* used = nullptr;   ///< pairs that are multiplied: zeros add nothing
  std::size_t count = 0;
  const std::int16_t* x = nullptr;  ///< rows `[pairs, 2]`
  std::size_t x_stride = 0;
  float x_factor[kMostRows] = {};
  const float* start[kMostRows] = {};  ///< what each row's sums are added to, `[out]`
  const float* more[kMostRows] = {};   ///< first layer: what is added as well, `[out]`
  const float* before = nullptr;       ///< other hidden layers: rows `[out]` that are added to the result
  float* h = nullptr;                  ///< rows `[out]`; may be `before`
  std::size_t h_stride = 0;            ///< of `before`, too
};

using WordKernel = void (*)(const WordTile& tile);

struct WordKernels {
  const WordKernel* first;     ///< h = f(start + more + weight x), by the number of rows less one
  const WordKernel* residual;  ///< h = before + f(start + weight x), f being hard-swish
  const WordKernel* heads;     ///< h = start + weight x
  /// Writes a row as integers, filled up to pairs, and gives their factor; NaN if a number is not finite.
  float (*integers)(const float* x, std::size_t count, std::int16_t* out);
};

/// Null for instruction sets that have no such products.
const WordKernels* word_kernels(infer::Isa isa);

}  // namespace calo::cascade
