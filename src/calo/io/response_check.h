#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "calo/io/shower_reader.h"
#include "core/error.h"

namespace calo {

/// Detects energies in the wrong unit (files should have MeV) from the energy in the cells, for each file.
class ResponseCheck {
 public:
  explicit ResponseCheck(const DatasetInfo& info) : info_(info), files_(info.files.size()) {}

  /// @param shower  index in the data set
  /// @param total_mev  sum over its cells
  void add(std::int64_t shower, double incident_mev, double total_mev);

  /// Error for the first file in which most showers have more than ten times their incident energy: GeV
  /// instead of MeV.
  std::optional<core::ErrorDetails> error() const;
  /// All remarks, including the error.
  std::vector<Remark> notes() const;

 private:
  struct Counts {
    std::int64_t showers = 0, far_above = 0, above = 0, far_below = 0;
    double largest_mev = 0;
  };

  const DatasetInfo& info_;
  std::vector<Counts> files_;
};

}  // namespace calo
