#pragma once

#include "calo/classify/detail/boosted_trees.h"
#include "calo/validate/classifier.h"

namespace calo {

struct TreeClassifierOptions {
  std::uint64_t seed = 42;  ///< of the splits
  int trainings = 3;        ///< at most, each with its own split
  BoostedTreesOptions trees;
};

/// Boosted trees on a feature table; trained several times, with split_rows() of seed, seed + 1, …
/// (of_trainings). No LibTorch.
class TreeClassifier : public Classifier {
 public:
  explicit TreeClassifier(TreeClassifierOptions options) : options_(options) {}

  std::string name() const override { return "trees"; }
  std::string title() const override { return "Boosted trees on high-level features"; }
  bool needs_cells() const override { return false; }
  /// @throws core::InputError for too few showers or unequal numbers
  /// @throws core::UsageError naming an option out of range
  /// @throws core::Interrupted between trees
  Classification classify(const ClassifiedShowers& showers, core::ThreadPool& pool) const override;

 private:
  TreeClassifierOptions options_;
};

}  // namespace calo
