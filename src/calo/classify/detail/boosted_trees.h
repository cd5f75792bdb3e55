#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "calo/validate/features.h"
#include "core/thread_pool.h"

namespace calo {

struct BoostedTreesOptions {
  int trees = 400;               ///< at most
  int leaves = 12;               ///< of a tree, at most
  double learning_rate = 0.1;    ///< share of each tree's correction that is taken
  std::int64_t least_rows = 20;  ///< of a leaf
  double l2 = 1;                 ///< penalty on a leaf's correction, in units of a row's curvature
  int patience = 30;             ///< trees without a lower loss of the selection rows that end it
};

/// Rows of two tables with the same columns: those of `negative` have the label 0, those of `positive` 1.
struct LabelledRows {
  const FeatureTable& negative;
  const FeatureTable& positive;
  std::span<const std::size_t> rows;  ///< of both
};

/// Gradient-boosted decision trees with logistic loss: each tree is grown leaf by leaf where the loss falls
/// most (Newton's step), over histograms of at most 255 bins of each feature, quantiles of the training rows.
/// Good where features have sharp edges and do not add up, as those of showers. (Friedman, Ann. Stat. 29
/// (2001) 1189; histograms and growth by leaves as in LightGBM, NeurIPS 30 (2017).)
class BoostedTrees {
 public:
  /// The number of trees is the one with which the loss of `selection` is least.
  /// The same result whatever the number of threads.
  /// @throws std::logic_error if the tables' columns differ or there are no rows
  static BoostedTrees fit(const LabelledRows& training, const LabelledRows& selection,
                          const BoostedTreesOptions& options, core::ThreadPool& pool);

  /// Logarithm of the odds that a row is positive.
  double logit(const float* row) const;
  int trees() const { return static_cast<int>(roots_.size()); }
  int tried() const { return tried_; }

 private:
  friend class TreeGrower;
  struct Node {
    std::int32_t feature = -1;  ///< -1: a leaf
    std::uint8_t bin = 0;       ///< rows with a bin up to this go left
    std::int32_t left = -1, right = -1;
    double value = 0;  ///< of a leaf
  };

  std::uint8_t bin_of(std::size_t feature, float value) const;
  double value_of(std::int32_t root, const float* row) const;

  std::size_t columns_ = 0;
  std::vector<std::vector<float>>
      edges_;  // by feature: a value above edge i and up to edge i + 1 is in bin i + 1
  std::vector<Node> nodes_;
  std::vector<std::int32_t> roots_;
  int tried_ = 0;
};

}  // namespace calo
