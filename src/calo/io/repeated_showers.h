#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "calo/io/shower_reader.h"

namespace calo {

/// Finds showers that are in a data set more than once: equal conditions, equal cells. Needs 16 bytes per
/// shower.
class RepeatedShowers {
 public:
  /// Adds the next shower. Showers with fewer than two hits are ignored: they may be equal by chance.
  void add(const Conditions& condition, std::span<const std::uint32_t> cells,
           std::span<const float> energies_mev);

  /// Number of showers that equal an earlier one.
  std::int64_t count();
  /// "12 showers are repeated (shower 3 of b.h5 equals shower 7 of a.h5)"; none if there are none.
  std::optional<Remark> remark(const DatasetInfo& info);

 private:
  void sort();

  std::vector<std::pair<std::uint64_t, std::int64_t>> keys_;  // hash and index
  std::int64_t next_ = 0;
  bool sorted_ = false;
};

}  // namespace calo
