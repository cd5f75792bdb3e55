#pragma once

#include <memory>
#include <vector>

#include "calo/validate/balanced_sample.h"
#include "calo/validate/classifier.h"

namespace calo {

struct ClassifierOptions {
  std::uint64_t seed = 42;             ///< of the splits and of the halves
  std::int64_t max_showers = 100'000;  ///< of each side; the first ones of each condition
  /// Classifiers that are run beside the logistic one.
  std::vector<std::shared_ptr<const Classifier>> others;
  /// Showers of each side that the others see, at most, if one of them needs the cells: those are kept in
  /// memory.
  std::int64_t most_in_memory = 10'000;
};

/// The logistic classifier and the others, each also between two halves of the full simulation; none if there
/// are too few showers.
/// @param full,fast the readers of the two sides
std::vector<Classification> run_classifiers(const BalancedSample& sample, ShowerReader& full,
                                            ShowerReader& fast, const ClassifierOptions& options,
                                            core::ThreadPool& pool);

}  // namespace calo
