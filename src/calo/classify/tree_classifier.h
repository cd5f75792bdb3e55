#pragma once

#include "calo/classify/boosted_trees.h"
#include "calo/validate/classifier.h"

namespace calo {

struct TreeClassifierOptions {
  std::uint64_t seed = 42;  ///< of the splits
  int trainings = 3;        ///< at most, each with its own split
  BoostedTreesOptions trees;
};

/// Trains and tests boosted trees on a feature table; several times, with split_rows() of seed, seed + 1, …
/// (of_trainings). No LibTorch.
/// @param full,fast  as classify_high_level()
/// @throws core::InputError for too few showers or unequal numbers, core::UsageError naming an option out of
/// range,
///         core::Interrupted between trees
Classification classify_with_trees(const FeatureTable& full, const FeatureTable& fast,
                                   const TreeClassifierOptions& options, core::ThreadPool& pool);

}  // namespace calo
