#include "calo/models/cascade/detail/teacher.h"

#include <algorithm>

namespace calo::cascade {

Teacher::Teacher(const Frame& frame, const PatternFrame& pattern)
    : frame_(frame), pattern_(pattern), layers_(frame, pattern.n_z), walk_(pattern) {
  for (const PatternFrame::Level& level : pattern.levels)
    levels_.emplace_back(static_cast<std::size_t>(pattern.n_r) * static_cast<std::size_t>(level.nodes));
  outside_.resize(static_cast<std::size_t>(pattern.n_r));
}

float Teacher::sum(const std::vector<float>& energies, int begin, int end) {
  float result = 0;
  for (int i = begin; i < end; ++i) result += energies[static_cast<std::size_t>(i)];
  return result;
}

std::size_t Teacher::position(int level, PatternNode at) const {
  return static_cast<std::size_t>(at.ring) *
             static_cast<std::size_t>(pattern_.levels[static_cast<std::size_t>(level)].nodes) +
         static_cast<std::size_t>(at.node);
}

std::pair<float, float> Teacher::children(int level, PatternNode at) const {
  const int child = pattern_.tree.level(level)[static_cast<std::size_t>(at.node)].first_child;
  const float* from =
      levels_[static_cast<std::size_t>(level) + 1].data() + position(level + 1, {at.ring, child});
  return {from[0], from[1]};
}

void Teacher::read_levels(const float* cells) {
  std::copy_n(cells, levels_.back().size(), levels_.back().begin());
  for (int level = pattern_.tree.depth() - 1; level >= 0; --level) {
    const auto& tree = pattern_.tree.level(level);
    const std::size_t below = static_cast<std::size_t>(level) + 1;
    float* to = levels_[static_cast<std::size_t>(level)].data();
    for (int ring = 0; ring < pattern_.n_r; ++ring) {
      const float* from = levels_[below].data() + position(level + 1, {ring, 0});
      for (const PhiTree::Node& node : tree)
        *to++ = from[node.first_child] + (node.is_split ? from[node.first_child + 1] : 0.0f);
    }
  }
  float rest = 0;
  for (std::size_t ring = outside_.size(); ring-- > 0;) outside_[ring] = rest += levels_[0][ring];
}

}  // namespace calo::cascade
