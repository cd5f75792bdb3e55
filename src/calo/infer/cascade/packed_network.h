#pragma once

#include <cstddef>
#include <vector>

#include "calo/infer/cascade/trained.h"
#include "calo/infer/large_array.h"
#include "calo/infer/packed_layer.h"

namespace calo::cascade {

/// A stored network for sampling. A row's outputs do not depend on the other rows, to the bit.
class PackedNetwork {
 public:
  /// @throws core::InputError if a tensor is missing
  PackedNetwork(const CascadeNet& net, const Trained& model, const infer::PackedLayer::Options& options);

  /// Memory of the weights.
  std::size_t bytes() const;

  /// Rows that are worked through together.
  struct Rows {
    std::vector<float> x;                        ///< `[rows, inputs]`
    std::vector<std::size_t> layers, positions;  ///< rows of the tables
    std::vector<float> h, out;                   ///< what forward() works in; out: `[rows, outputs]`
    infer::LargeArray<std::byte> scratch;

    void clear() { layers.clear(), positions.clear(); }
    std::size_t count() const { return layers.size(); }
  };

  /// Where the features of the next row go.
  float* add_row(Rows& rows, std::size_t layer, std::size_t position) const;
  /// Calculates rows.out. @throws core::InputError if an output is not finite
  void forward(Rows& rows) const;
  const float* outputs(const Rows& rows, std::size_t row) const {
    return rows.out.data() + row * static_cast<std::size_t>(net_.outputs);
  }

 private:
  const float* row_of(const std::vector<float>& table, std::size_t row, std::size_t column) const;

  CascadeNet net_;
  infer::Isa isa_;
  std::vector<infer::PackedLayer> layers_;  // hidden ones, then the output
  std::vector<float> layer_table_, position_table_;
};

}  // namespace calo::cascade
