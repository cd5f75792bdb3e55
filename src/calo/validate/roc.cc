#include "calo/validate/roc.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace calo {

Auc roc_auc(std::span<const double> negative, std::span<const double> positive) {
  std::vector<double> a(negative.begin(), negative.end()), b(positive.begin(), positive.end());
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  // Twice the number of pairs in order, whole and thus exact.
  double twice = 0;
  std::size_t below = 0, not_above = 0;
  for (const double score : b) {
    while (below < a.size() && a[below] < score) ++below;
    while (not_above < a.size() && a[not_above] <= score) ++not_above;
    twice += static_cast<double>(below + not_above);
  }
  const auto negatives = static_cast<double>(a.size()), positives = static_cast<double>(b.size());
  const double auc = twice / (2 * negatives * positives);
  const double two_positives = auc / (2 - auc), two_negatives = 2 * auc * auc / (1 + auc);
  const double variance = (auc * (1 - auc) + (positives - 1) * (two_positives - auc * auc) +
                           (negatives - 1) * (two_negatives - auc * auc)) /
                          (negatives * positives);
  return {.value = auc, .error = std::sqrt(std::max(0.0, variance))};
}

std::vector<RocPoint> roc_curve(std::span<const double> negative, std::span<const double> positive,
                                std::size_t max_points) {
  std::vector<double> a(negative.begin(), negative.end()), b(positive.begin(), positive.end());
  std::sort(a.begin(), a.end(), std::greater<>());
  std::sort(b.begin(), b.end(), std::greater<>());
  struct Corner {
    double threshold;
    std::size_t found, mistaken;
  };
  const double above_all =
      std::nextafter(std::max(a.front(), b.front()), std::numeric_limits<double>::infinity());
  std::vector<Corner> corners = {{above_all, 0, 0}};
  for (std::size_t found = 0, mistaken = 0; found < b.size() || mistaken < a.size();) {
    const double threshold = found == b.size()      ? a[mistaken]
                             : mistaken == a.size() ? b[found]
                                                    : std::max(a[mistaken], b[found]);
    while (found < b.size() && b[found] == threshold) ++found;
    while (mistaken < a.size() && a[mistaken] == threshold) ++mistaken;
    if (corners.size() > 1) {
      const Corner &one = corners[corners.size() - 2], &two = corners.back();
      if ((two.found - one.found) * (mistaken - two.mistaken) ==
          (found - two.found) * (two.mistaken - one.mistaken))
        corners.pop_back();
    }
    corners.push_back({threshold, found, mistaken});
  }
  std::vector<RocPoint> curve;
  curve.reserve(corners.size());
  for (const Corner& corner : corners)
    curve.push_back(
        {.threshold = corner.threshold,
         .recall = static_cast<double>(corner.found) / static_cast<double>(b.size()),
         .false_positive_rate = static_cast<double>(corner.mistaken) / static_cast<double>(a.size())});
  if (curve.size() <= max_points) return curve;
  // Recall and false positive rate both rise, so their sum measures the way along the curve: from 0 to 2.
  std::vector<RocPoint> thinned;
  for (std::size_t i = 0; i + 1 < curve.size(); ++i) {
    const double wanted = 2 * static_cast<double>(thinned.size()) / static_cast<double>(max_points - 1);
    if (curve[i].recall + curve[i].false_positive_rate >= wanted && thinned.size() + 1 < max_points)
      thinned.push_back(curve[i]);
  }
  thinned.push_back(curve.back());
  return thinned;
}

}  // namespace calo
