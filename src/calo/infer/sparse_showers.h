#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "calo/infer/large_array.h"

namespace calo::infer {

/// Showers as their cells above a threshold, in ascending order. Its memory is used again by the next batch.
class SparseShowers {
 public:
  std::size_t size() const { return offsets_.empty() ? 0 : offsets_.size() - 1; }
  std::size_t num_hits() const { return offsets_.empty() ? 0 : offsets_.back(); }
  std::span<const std::uint32_t> cells_of(std::size_t shower) const {
    return {cells_.data() + offsets_[shower], cells_.data() + offsets_[shower + 1]};
  }
  std::span<const float> energies_of(std::size_t shower) const {
    return {energies_.data() + offsets_[shower], energies_.data() + offsets_[shower + 1]};
  }

  /// Of all showers, one after the other; size() + 1 offsets.
  std::span<const std::uint64_t> offsets() const { return offsets_; }
  const std::uint32_t* cells() const { return cells_.data(); }
  const float* energies_mev() const { return energies_.data(); }

 private:
  friend class OutputLayer;
  friend class Generator;
  std::vector<std::uint64_t> offsets_;
  LargeArray<std::uint32_t> cells_;
  LargeArray<float> energies_;
};

}  // namespace calo::infer
