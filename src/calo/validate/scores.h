#pragma once

#include <vector>

#include "calo/validate/score_inputs.h"

namespace calo {

/// All rows of the table of scores (scores.cc) that the samples allow, in its order.
std::vector<Score> compute_scores(const ScoreInputs& inputs);

/// The AUC of each classifier.
std::vector<Score> classifier_scores(const std::vector<Classification>& classifiers);

}  // namespace calo
