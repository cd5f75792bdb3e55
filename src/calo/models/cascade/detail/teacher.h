#pragma once

#include <cstddef>
#include <vector>

#include "calo/infer/cascade/layer_walk.h"
#include "calo/infer/cascade/pattern_walk.h"
#include "calo/models/cascade/detail/fit.h"

namespace calo::cascade {

/// A split of a given shower.
struct TeacherSplit {
  std::size_t net;              ///< index into cascade_nets(): 1 layers, 2 rings, 3 … phi0 …
  std::size_t layer, position;  ///< row numbers of the tables
  int ring;                     ///< ring whose spectrum applies; 0 if there is none
  float a_mev, b_mev;
};

/// Walks through a given shower and passes on its splits with their features, in the order in which they
/// would be drawn.
class Teacher {
 public:
  Teacher(const Frame& frame, const PatternFrame& pattern);

  /// @param add  (const TeacherSplit&) → float*: memory for the features; null = they are not needed
  template <class Add>
  void walk(const LayeredShower& shower, const ConditionFeatures& conditions, float incident_energy_mev,
            const Add& add) {
    layers_.start(conditions, incident_energy_mev, shower.total_mev());
    const std::vector<float>& energies = shower.layer_energies();
    for (std::size_t i = 0; i < frame_.intervals.size(); ++i) {
      if (!(layers_.energy(i) > 0)) continue;
      const Frame::Interval& interval = frame_.intervals[i];
      const TeacherSplit split{.net = 1,
                               .layer = 0,
                               .position = i,
                               .ring = 0,
                               .a_mev = sum(energies, interval.begin, interval.middle),
                               .b_mev = sum(energies, interval.middle, interval.end)};
      if (float* x = add(split)) layers_.features(i, x);
      layers_.set(i, split.a_mev, split.b_mev);
    }
    walk_.start(conditions, energies);
    for (int layer = 0; layer < pattern_.n_z; ++layer) {
      if (energies[static_cast<std::size_t>(layer)] > 0)
        walk_layer(shower, layer, add);
      else
        walk_.skip_layer(layer);
    }
  }

 private:
  template <class Add>
  void walk_layer(const LayeredShower& shower, int layer, const Add& add) {
    read_levels(shower.cells(layer));
    walk_.begin_layer(layer);
    const auto row = static_cast<std::size_t>(layer);
    while (walk_.ring() + 1 < pattern_.n_r && walk_.ring_energy() > 0) {
      const auto ring = static_cast<std::size_t>(walk_.ring());
      const TeacherSplit split{.net = 2,
                               .layer = row,
                               .position = ring,
                               .ring = walk_.ring(),
                               .a_mev = levels_[0][ring],
                               .b_mev = outside_[ring + 1]};
      if (float* x = add(split)) walk_.ring_features(x);
      walk_.set_ring(split.a_mev, split.b_mev);
    }
    walk_.end_rings();
    for (int level = 0; level < pattern_.tree.depth(); ++level) {
      walk_.begin_level(level);
      for (int colour = 0; colour < 2; ++colour) {
        walk_.nodes(level, colour, nodes_);
        for (const PatternNode& at : nodes_) {
          const auto [a, b] = children(level, at);
          float* x = add(TeacherSplit{.net = 3 + static_cast<std::size_t>(level),
                                      .layer = row,
                                      .position = position(level, at),
                                      .ring = at.ring,
                                      .a_mev = a,
                                      .b_mev = b});
          if (x != nullptr) walk_.node_features(level, at, x);
        }
        for (const PatternNode& at : nodes_) {
          const auto [a, b] = children(level, at);
          walk_.set_node(level, at, a, b);
        }
      }
    }
    walk_.end_layer();
  }

  static float sum(const std::vector<float>& energies, int begin, int end);
  void read_levels(const float* cells);
  std::size_t position(int level, PatternNode at) const;
  std::pair<float, float> children(int level, PatternNode at) const;

  const Frame& frame_;
  const PatternFrame& pattern_;
  LayerWalk layers_;
  PatternWalk walk_;
  std::vector<std::vector<float>> levels_;  // energies by level, [r, node]
  std::vector<float> outside_;              // sum of each ring and the rings outside it
  std::vector<PatternNode> nodes_;
};

}  // namespace calo::cascade
