#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "calo/infer/activation.h"
#include "calo/infer/cell_kernels.h"
#include "calo/infer/packed_layer.h"
#include "calo/infer/sparse_showers.h"
#include "core/thread_pool.h"

namespace calo::infer {

/// The last layer of a generator: cell = scale · f(weight · x + bias), with a scale for each row. Runs in
/// blocks of cells that stay in cache, straight to the cells above a threshold; cells that are surely below
/// need no function.
///
/// A row's bits do not depend on the other rows, nor on threads.
class OutputLayer {
 public:
  OutputLayer() = default;
  OutputLayer(PackedLayer layer, Activation activation, Isa isa = best_isa())
      : layer_(std::move(layer)),
        activation_(activation),
        kernels_(cell_kernels(activation.kind, isa, layer_.precision() != Precision::kFp32)) {}

  const PackedLayer& layer() const { return layer_; }
  std::int64_t cells() const { return layer_.out(); }

  /// Memory that it works in, kept from call to call: fresh pages would cost more than the arithmetic.
  struct Work {
    /// Hits of some cells in all rows, one row after the other.
    struct Hits {
      std::size_t size = 0;
      LargeArray<std::uint32_t> cells;
      LargeArray<float> energies;
      std::vector<std::size_t> end;  // [block, row]
    };
    LargeArray<std::byte> rows;
    std::vector<float> smallest;  // z that may be a hit, by row
    std::vector<Hits> found;      // by piece of the cells
  };

  /// Cells with cell ≥ threshold and cell > 0. Cells that are not finite are kept, whatever the threshold,
  /// and counted: SparseShowers::num_not_finite().
  /// @param rows  `[scale.size(), in]`
  /// @param pool  null = this thread only; then nothing is allocated once `work` and `out` have been used for
  ///              as many rows
  void sparse(const float* rows, std::span<const float> scale, float threshold, core::ThreadPool* pool,
              Work& work, SparseShowers& out) const;

  /// All cells. @param out `[scale.size(), cells]`  @returns whether all are finite
  bool dense(const float* rows, std::span<const float> scale, core::ThreadPool* pool, Work& work,
             float* out) const;

 private:
  PackedLayer layer_;
  Activation activation_;
  CellKernels kernels_;
};

}  // namespace calo::infer
