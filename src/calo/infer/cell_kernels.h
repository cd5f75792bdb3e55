#pragma once

#include <cstddef>
#include <cstdint>

#include "calo/infer/activation.h"
#include "calo/infer/precision.h"

namespace calo::infer {

/// What happens to the cells of one row behind the product: the function and the row's scale, and which of
/// them are hits. The bits of a cell are the same in both.
struct CellKernels {
  static constexpr std::size_t kGroup = 16;  ///< cells that are looked at together

  /// Cells of a row, a multiple of kGroup.
  struct Row {
    const float* z;
    std::size_t count;
    std::uint32_t first_cell, all_cells;
    float smallest;  ///< z below which nothing is a hit
    float scale, threshold;
    std::uint32_t* cells;  ///< room for `count` + kGroup more than `size`
    float* energies;
    std::size_t size;
  };

  /// Appends hits, cell ≥ threshold and cell > 0, and cells that are not finite, whatever the threshold;
  /// returns how many there are then.
  std::size_t (*collect)(const Activation& activation, const Row& row) = nullptr;
  /// out = scale · f(z); whether all of it is finite
  using Dense = bool (*)(const Activation& activation, const float* z, std::size_t count, float scale,
                         float* out);
  Dense dense = nullptr;
  /// The same past the caches, for outputs that do not fit them: memory is written without having been read.
  /// Other threads see it after stream_fence().
  Dense stream = nullptr;
};

void stream_fence();

/// @param quick  functions may err by 2e-4 (relative), for layers whose weights err by more
CellKernels cell_kernels(Activation::Kind kind, Isa isa, bool quick);

}  // namespace calo::infer
