#pragma once

#include <functional>
#include <string>
#include <vector>

#include "calo/validate/classification.h"

namespace calo {

/// What a classifier says of one part of a split, by side: logits of being fast.
struct PartLogits {
  std::vector<double> full, fast;

  double accuracy() const;       ///< at probability 0.5
  double cross_entropy() const;  ///< in units of ln 2
};

/// A trained classifier, as it is judged.
struct TrainedClassifier {
  PartLogits selection, test;
  Split split;
  int best_epoch = 0, epochs = 0;
};

/// Trains a classifier several times, each with a split and a seed of its own, and judges each on its test
/// part, calibrated by isotonic regression on its selection part. Ends early if the answer is clear
/// (TrainingsEnd).
/// @param most  trainings  @param train  is given the number of the training, from 1
Classification of_trainings(const std::string& name, const std::string& title, int most,
                            const std::function<TrainedClassifier(int number)>& train);

}  // namespace calo
