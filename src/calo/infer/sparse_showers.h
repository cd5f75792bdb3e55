#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "calo/infer/large_array.h"

namespace calo::cascade {
class Sampler;
}

namespace calo::infer {

/// Numbers that are NaN or infinite.
inline std::size_t count_not_finite(std::span<const float> numbers) {
  std::size_t count = 0;
  for (const float x : numbers) count += x * 0.0f != 0 ? 1 : 0;
  return count;
}

/// Place of the first of them; there must be one.
inline std::size_t first_not_finite(std::span<const float> numbers) {
  std::size_t i = 0;
  while (i + 1 < numbers.size() && numbers[i] * 0.0f == 0) ++i;
  return i;
}

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

  /// Cells of a shower that are not finite numbers. They are among its cells whatever the threshold, and the
  /// shower means nothing: Generator::generate ends in an error, with the cell.
  std::size_t num_not_finite(std::size_t shower) const { return not_finite_[shower]; }

 private:
  friend class OutputLayer;
  friend class Generator;
  friend class cascade::Sampler;
  std::vector<std::uint64_t> offsets_;
  LargeArray<std::uint32_t> cells_;
  LargeArray<float> energies_;
  std::vector<std::size_t> not_finite_;  // by shower
};

}  // namespace calo::infer
