#pragma once

#include <cstddef>
#include <cstdint>

#include "calo/infer/precision.h"

namespace calo::cascade {

/// One dense layer for a few rows, in fp32. Every output is one chain of fused multiply-adds over the inputs
/// in their order (heads: two, of the even and of the odd inputs): its bits depend neither on the other rows
/// nor on AVX2 or AVX-512 (plain x86-64, which has no fused multiply-add, differs in the last bits).
struct RowTile {
  static constexpr std::size_t kPanel = 64;  ///< outputs whose weights are together
  static constexpr std::size_t kHeads = 16;  ///< outputs of the layer of heads
  static constexpr std::size_t kMostRows = 6;
  static constexpr std::size_t kMostHeadRows = 3;

  const float* weight = nullptr;  ///< `[panel, in, kPanel]`; heads: `[in, kHeads]`
  std::size_t in = 0, out = 0;    ///< out: a multiple of kPanel, or kHeads
  /// Inputs that are multiplied: a zero adds nothing. Heads and null: all of them.
  const std::uint32_t* inputs = nullptr;
  std::size_t count = 0;
  const float* x = nullptr;  ///< rows
  std::size_t x_stride = 0;
  const float* start[kMostRows] = {};  ///< what each row's sums start from, `[out]`
  const float* more[kMostRows] = {};   ///< first layer: what is added to that, `[out]`
  float* h = nullptr;                  ///< rows `[out]`, not those of x
  std::size_t h_stride = 0;
};

using RowKernel = void (*)(const RowTile& tile);

struct RowKernels {
  const RowKernel* first;     ///< h = f(start + more + weight x), by the number of rows less one
  const RowKernel* residual;  ///< h = x + f(start + weight x), f being hard-swish
  const RowKernel* heads;     ///< h = start + weight x; up to kMostHeadRows
  /// The products of `h` with two rows of weights, of `count` numbers, a multiple of 16.
  void (*two_products)(const float* h, const float* first, const float* second, std::size_t count,
                       float out[2]);
  /// Writes the places of the words of 32 bits (floats, or pairs of integers) that are not zero in all rows,
  /// and gives their number.
  std::size_t (*words_in_use)(const void* x, std::size_t x_stride, std::size_t rows, std::size_t in,
                              std::uint32_t* out);
};

const RowKernels& row_kernels(infer::Isa isa);

}  // namespace calo::cascade
