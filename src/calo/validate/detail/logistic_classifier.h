#pragma once

#include <cstdint>

#include "calo/validate/classifier.h"

namespace calo {

/// LogisticRegression on high-level features (high_level_table()).
class LogisticClassifier : public Classifier {
 public:
  /// @param seed of the split
  explicit LogisticClassifier(std::uint64_t seed = 42) : seed_(seed) {}

  std::string name() const override { return "high_level"; }
  std::string title() const override { return "Classifier on high-level features"; }
  bool needs_cells() const override { return false; }
  Classification classify(const ClassifiedShowers& showers, core::ThreadPool& pool) const override;

 private:
  std::uint64_t seed_;
};

}  // namespace calo
