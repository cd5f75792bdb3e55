#pragma once

#include <span>
#include <vector>

namespace calo {

/// Isotonic regression of labels on scores (pool adjacent violators; Barlow et al., Statistical Inference
/// under Order Restrictions, 1972): calibrates a classifier's scores to probabilities. Linear between the
/// scores it was fitted on and constant outside, as scikit-learn's IsotonicRegression(out_of_bounds="clip").
class IsotonicRegression {
 public:
  /// @param negative,positive finite scores, at least one in all
  static IsotonicRegression fit(std::span<const double> negative, std::span<const double> positive);

  /// Rises with the score; within [1 / (n + 2), 1 - 1 / (n + 2)], n the number of scores fitted: what that
  /// many showers can say of a probability, so that no cross-entropy is infinite.
  double operator()(double score) const;

 private:
  std::vector<double> scores_, probabilities_;  // of the knots
  double smallest_ = 0;
};

}  // namespace calo
