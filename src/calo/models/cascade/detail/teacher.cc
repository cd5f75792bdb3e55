#include "calo/models/cascade/detail/teacher.h"

#include <algorithm>

namespace calo::cascade {
namespace {

std::size_t place(const PatternFrame& pattern, int level, PatternNode at) {
  return static_cast<std::size_t>(at.ring) *
             static_cast<std::size_t>(pattern.levels[static_cast<std::size_t>(level)].nodes) +
         static_cast<std::size_t>(at.node);
}

}  // namespace

Teacher::Teacher(const Frame& frame, const MeshFrame& mesh)
    : frame_(frame),
      mesh_(mesh),
      layers_(frame, mesh.n_z()),
      walk_(mesh),
      levels_(static_cast<std::size_t>(mesh.depth()) + 1) {}

float Teacher::sum(const std::vector<float>& energies, int begin, int end) {
  float result = 0;
  for (int i = begin; i < end; ++i) result += energies[static_cast<std::size_t>(i)];
  return result;
}

std::pair<float, float> Teacher::children(const PatternFrame& pattern, int level, PatternNode at) const {
  const int child = pattern.tree.level(level)[static_cast<std::size_t>(at.node)].first_child;
  const float* from =
      levels_[static_cast<std::size_t>(level) + 1].data() + place(pattern, level + 1, {at.ring, child});
  return {from[0], from[1]};
}

void Teacher::read_levels(const PatternFrame& pattern, const float* cells) {
  const int depth = pattern.tree.depth();
  for (int level = 0; level <= depth; ++level)
    levels_[static_cast<std::size_t>(level)].resize(place(pattern, level, {pattern.n_r, 0}));
  std::vector<float>& deepest = levels_[static_cast<std::size_t>(depth)];
  std::copy_n(cells, deepest.size(), deepest.begin());
  for (int level = depth - 1; level >= 0; --level) {
    const auto& tree = pattern.tree.level(level);
    const std::size_t below = static_cast<std::size_t>(level) + 1;
    float* to = levels_[static_cast<std::size_t>(level)].data();
    for (int ring = 0; ring < pattern.n_r; ++ring) {
      const float* from = levels_[below].data() + place(pattern, level + 1, {ring, 0});
      for (const PhiTree::Node& node : tree)
        *to++ = from[node.first_child] + (node.is_split ? from[node.first_child + 1] : 0.0f);
    }
  }
  float rest = 0;
  outside_.resize(static_cast<std::size_t>(pattern.n_r));
  for (std::size_t ring = outside_.size(); ring-- > 0;) outside_[ring] = rest += levels_[0][ring];
}

}  // namespace calo::cascade
