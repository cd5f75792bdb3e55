#pragma once

#include <cstddef>
#include <vector>

#include "calo/infer/cascade/nets.h"
#include "calo/infer/cascade/pattern_walk.h"

namespace calo::cascade {

/// The layers of a mesh for MeshWalk: a frame for each segmentation, and how energy of a layer lies in the
/// cells of the other segmentations.
class MeshFrame {
 public:
  MeshFrame(const CascadeMesh& mesh, float threshold_mev);

  const CascadeMesh& mesh() const { return mesh_; }
  int n_z() const { return mesh_.n_z(); }
  const PatternFrame& of_layer(int layer) const { return frames_[segmentation_of(layer)]; }
  std::size_t segmentation_of(int layer) const { return mesh_.of_layer[static_cast<std::size_t>(layer)]; }
  const std::vector<PatternFrame>& frames() const { return frames_; }
  /// Levels in phi with nodes to split, in the layers with the most.
  int depth() const { return depth_; }
  /// Number of the splits that the layers before `layer` can have; for n_z, of all.
  std::size_t splits_before(int layer) const { return splits_before_[static_cast<std::size_t>(layer)]; }

  /// Share of a cell that lies in a cell of another segmentation, if energy were spread evenly over the area:
  /// the product of those in r and phi. Matrices `[to, from]`.
  struct Shares {
    std::vector<float> r, phi;
  };
  const Shares& shares(std::size_t from, std::size_t to) const { return shares_[from * frames_.size() + to]; }
  /// Spreads values `[r, phi]` of a segmentation over the cells of another.
  void spread(std::size_t from, std::size_t to, const std::vector<float>& values,
              std::vector<float>& out) const;

  void set_threshold(float threshold_mev) {
    for (PatternFrame& frame : frames_) frame.threshold_mev = threshold_mev;
  }

 private:
  CascadeMesh mesh_;
  std::vector<PatternFrame> frames_;
  std::vector<Shares> shares_;  // [from, to]; empty between a segmentation and itself
  std::vector<std::size_t> splits_before_;
  int depth_ = 0;
};

/// The walk of a shower through the layers of a mesh: a PatternWalk for each segmentation. A layer is split
/// by the walk of its segmentation; the others see its energy spread over their cells.
class MeshWalk {
 public:
  explicit MeshWalk(const MeshFrame& frame);

  void start(const ConditionFeatures& conditions, const std::vector<float>& layer_energies);
  float layer_energy(int layer) const { return walks_[0].layer_energy(layer); }
  PatternWalk& of_layer(int layer) { return walks_[frame_.segmentation_of(layer)]; }
  /// After the last split of a layer.
  void end_layer(int layer);
  void skip_layer(int layer);

 private:
  const MeshFrame& frame_;
  std::vector<PatternWalk> walks_;
  std::vector<float> hits_, seen_mev_, seen_hits_;
};

}  // namespace calo::cascade
