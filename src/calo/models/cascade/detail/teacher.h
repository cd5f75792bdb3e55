#pragma once

#include <cstddef>
#include <vector>

#include "calo/infer/cascade/layer_walk.h"
#include "calo/infer/cascade/mesh_walk.h"
#include "calo/models/cascade/detail/fit.h"

namespace calo::cascade {

/// A split of a given shower.
struct TeacherSplit {
  std::size_t net;              ///< index into cascade_nets(): 1 layers, 2 rings, 3 … phi0 …
  std::size_t layer, position;  ///< row numbers of the tables
  int spectrum;                 ///< row of the hit spectrum that applies; 0 if there is none
  float a_mev, b_mev;
};

/// Walks through a given shower and passes on its splits with their features, in the order in which they
/// would be drawn.
class Teacher {
 public:
  Teacher(const Frame& frame, const MeshFrame& mesh);

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
                               .spectrum = 0,
                               .a_mev = sum(energies, interval.begin, interval.middle),
                               .b_mev = sum(energies, interval.middle, interval.end)};
      if (float* x = add(split)) layers_.features(i, x);
      layers_.set(i, split.a_mev, split.b_mev);
    }
    walk_.start(conditions, energies);
    for (int layer = 0; layer < mesh_.n_z(); ++layer) {
      if (energies[static_cast<std::size_t>(layer)] > 0)
        walk_layer(shower, layer, add);
      else
        walk_.skip_layer(layer);
    }
  }

 private:
  template <class Add>
  void walk_layer(const LayeredShower& shower, int layer, const Add& add) {
    const PatternFrame& pattern = mesh_.of_layer(layer);
    PatternWalk& walk = walk_.of_layer(layer);
    read_levels(pattern, shower.cells(layer));
    walk.begin_layer(layer);
    const auto row = static_cast<std::size_t>(layer);
    while (walk.ring() + 1 < pattern.n_r && walk.ring_energy() > 0) {
      const auto ring = static_cast<std::size_t>(walk.ring());
      const TeacherSplit split{.net = 2,
                               .layer = row,
                               .position = walk.position_of_ring(),
                               .spectrum = walk.spectrum_of(walk.ring()),
                               .a_mev = levels_[0][ring],
                               .b_mev = outside_[ring + 1]};
      if (float* x = add(split)) walk.ring_features(x);
      walk.set_ring(split.a_mev, split.b_mev);
    }
    walk.end_rings();
    for (int level = 0; level < pattern.tree.depth(); ++level) {
      walk.begin_level(level);
      for (int colour = 0; colour < 2; ++colour) {
        walk.nodes(level, colour, nodes_);
        for (const PatternNode& at : nodes_) {
          const auto [a, b] = children(pattern, level, at);
          float* x = add(TeacherSplit{.net = 3 + static_cast<std::size_t>(level),
                                      .layer = row,
                                      .position = walk.position_of_node(level, at),
                                      .spectrum = walk.spectrum_of(at.ring),
                                      .a_mev = a,
                                      .b_mev = b});
          if (x != nullptr) walk.node_features(level, at, x);
        }
        for (const PatternNode& at : nodes_) {
          const auto [a, b] = children(pattern, level, at);
          walk.set_node(level, at, a, b);
        }
      }
    }
    walk_.end_layer(layer);
  }

  static float sum(const std::vector<float>& energies, int begin, int end);
  void read_levels(const PatternFrame& pattern, const float* cells);
  std::pair<float, float> children(const PatternFrame& pattern, int level, PatternNode at) const;

  const Frame& frame_;
  const MeshFrame& mesh_;
  LayerWalk layers_;
  MeshWalk walk_;
  std::vector<std::vector<float>> levels_;  // energies of a layer by level, [r, node]
  std::vector<float> outside_;              // sum of each ring and the rings outside it
  std::vector<PatternNode> nodes_;
};

}  // namespace calo::cascade
