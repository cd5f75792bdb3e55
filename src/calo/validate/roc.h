#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace calo {

/// Area under the ROC curve: the probability that a positive has a higher score than a negative, ties
/// counting half.
struct Auc {
  double value = 0.5;
  /// Standard error (Hanley and McNeil, Radiology 143 (1982) 29); 0 if the two are fully separated.
  double error = 0;
};
/// @param negative,positive finite scores, at least one of each
Auc roc_auc(std::span<const double> negative, std::span<const double> positive);

/// What a threshold does: "positive" is said where the score is not below it.
struct RocPoint {
  double threshold = 0;
  double recall = 0;               ///< share of the positives found
  double false_positive_rate = 0;  ///< share of the negatives taken for positives
};
/// The curve from (0, 0) to (1, 1), thresholds falling and finite. Corners on straight lines are left out,
/// and of more than `max_points` those evenly spaced along the curve are kept.
/// @param negative,positive finite scores, at least one of each
/// @param max_points at least 2
std::vector<RocPoint> roc_curve(std::span<const double> negative, std::span<const double> positive,
                                std::size_t max_points = 100);

}  // namespace calo
