#pragma once

#include "calo/classify/detail/boosted_trees.h"
#include "calo/validate/classifier.h"

namespace calo {

struct TreeClassifierOptions {
  std::uint64_t seed = 42;  ///< of the splits
  int trainings = 3;        ///< at most, each with its own split
  /// Whether the trees see ExpertFeatures beside the high-level features.
  bool expert = false;
  double threshold_mev = 0;  ///< cells below count as 0 in expert features
  BoostedTreesOptions trees;
};

/// Boosted trees on a feature table, with or without expert features; trained several times, with
/// split_rows() of seed, seed + 1, … (of_trainings). No LibTorch.
class TreeClassifier : public Classifier {
 public:
  explicit TreeClassifier(TreeClassifierOptions options) : options_(options) {}

  std::string name() const override { return options_.expert ? "expert_trees" : "trees"; }
  std::string title() const override {
    return options_.expert ? "Boosted trees on expert features" : "Boosted trees on high-level features";
  }
  bool needs_cells() const override { return options_.expert; }
  /// @throws core::InputError for too few showers or unequal numbers
  /// @throws core::UsageError naming an option out of range
  /// @throws core::Interrupted between trees
  Classification classify(const ClassifiedShowers& showers, core::ThreadPool& pool) const override;

 private:
  Classification classify_tables(const FeatureTable& full, const FeatureTable& fast,
                                 const ClassifiedShowers& showers, core::ThreadPool& pool) const;

  TreeClassifierOptions options_;
};

}  // namespace calo
