#pragma once

#include <string>

#include "calo/validate/distances.h"

namespace calo {

/// A number about the samples as a whole.
struct Score {
  enum class Better { kLow, kHigh, kHalf };
  std::string name;   ///< "fpd"
  std::string title;  ///< "Fréchet physics distance × 10³"
  std::string group;  ///< "Distances of features"
  std::string help;
  Better better = Better::kLow;
  Estimate estimate;

  /// Whether it cannot be told from that of two halves of the full simulation: within two errors of it.
  bool agrees() const;
};

}  // namespace calo
