#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "calo/validate/features.h"
#include "core/thread_pool.h"

namespace calo {

/// Rows of two classes, named by their places in two tables.
struct TwoClasses {
  const FeatureTable& negative;
  const FeatureTable& positive;
  /// Rows of both tables that take part.
  std::span<const std::size_t> rows;
};

/// Logistic regression with quadratic terms: the logit is linear in the standardised features, their squares
/// and their products with the first feature (of showers: the energy, on which everything depends). Fitted by
/// Newton's method with an L2 penalty; sums are made block by block in a fixed order, so the result is the
/// same, bit for bit, with any number of threads.
class LogisticRegression {
 public:
  /// Fits with penalties from strong to weak, and keeps the fit whose cross-entropy on `validation` is least.
  static LogisticRegression fit(const TwoClasses& train, const TwoClasses& validation,
                                core::ThreadPool& pool);

  /// log(p / (1 - p)) of the positive class, finite; `row` has the columns of the tables.
  double logit(const float* row) const;
  /// Penalty that was chosen: l2 / 2 |coefficients|^2 beside the mean cross-entropy.
  double l2() const { return l2_; }

 private:
  struct Standardised;
  void expand(const float* standardised, double* terms) const;
  std::size_t num_terms() const { return 3 * mean_.size() + 1; }
  void standardise(const float* row, float* out) const;
  Standardised standardised(const TwoClasses& classes) const;

  std::vector<double> mean_, scale_;            // of the features
  std::vector<double> term_mean_, term_scale_;  // of the squares and products, which follow the features
  std::vector<double> coefficients_;            // the last is the intercept
  double l2_ = 0;
};

}  // namespace calo
