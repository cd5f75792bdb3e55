#include "calo/classify/detail/isotonic.h"

#include <algorithm>

namespace calo {

IsotonicRegression IsotonicRegression::fit(std::span<const double> negative,
                                           std::span<const double> positive) {
  struct Block {
    double first, last, positives, count;
    double mean() const { return positives / count; }
  };
  std::vector<Block> sorted;
  for (const double score : negative) sorted.push_back({score, score, 0, 1});
  for (const double score : positive) sorted.push_back({score, score, 1, 1});
  std::sort(sorted.begin(), sorted.end(), [](const Block& a, const Block& b) { return a.first < b.first; });
  std::vector<Block> blocks;
  for (const Block& next : sorted) {
    // Equal scores have one probability.
    if (!blocks.empty() && blocks.back().last == next.first) {
      blocks.back().positives += next.positives;
      blocks.back().count += 1;
    } else {
      blocks.push_back(next);
    }
  }
  std::vector<Block> pooled;
  for (const Block& next : blocks) {
    pooled.push_back(next);
    while (pooled.size() > 1 && pooled[pooled.size() - 2].mean() >= pooled.back().mean()) {
      const Block last = pooled.back();
      pooled.pop_back();
      pooled.back().last = last.last;
      pooled.back().positives += last.positives;
      pooled.back().count += last.count;
    }
  }
  IsotonicRegression result;
  result.smallest_ = 1 / (static_cast<double>(sorted.size()) + 2);
  for (const Block& block : pooled)
    for (const double score : {block.first, block.last}) {
      if (!result.scores_.empty() && result.scores_.back() == score) continue;
      result.scores_.push_back(score);
      result.probabilities_.push_back(block.mean());
    }
  return result;
}

double IsotonicRegression::operator()(double score) const {
  const auto above = std::upper_bound(scores_.begin(), scores_.end(), score);
  double probability;
  if (above == scores_.begin()) {
    probability = probabilities_.front();
  } else if (above == scores_.end()) {
    probability = probabilities_.back();
  } else {
    const auto i = static_cast<std::size_t>(above - scores_.begin());
    const double share = (score - scores_[i - 1]) / (scores_[i] - scores_[i - 1]);
    probability = probabilities_[i - 1] + share * (probabilities_[i] - probabilities_[i - 1]);
  }
  return std::clamp(probability, smallest_, 1 - smallest_);
}

}  // namespace calo
