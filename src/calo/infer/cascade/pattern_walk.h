#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "calo/infer/cascade/layer_walk.h"
#include "calo/infer/cascade/nets.h"

namespace calo::cascade {

/// What all showers have in common for PatternWalk in the layers of one segmentation.
struct PatternFrame {
  /// @param segmentation  index in the mesh
  PatternFrame(const CascadeMesh& mesh, std::size_t segmentation, float threshold);

  int n_r, n_phi, n_z;
  int most_rings;  ///< of any segmentation: places of the rings among the features of the network `rings`
  float threshold_mev;
  PhiTree tree;
  std::size_t first_ring = 0;           ///< row of the innermost ring's spectrum
  std::size_t first_ring_position = 0;  ///< its row in the position table of the network `rings`
  struct Level {
    int nodes;
    std::size_t stride, plane;             ///< of a ring, and of all rings, with the cells beyond the edges
    std::vector<float> cos, sin;           ///< of the middle of each node
    std::vector<std::size_t> split_begin;  ///< place of each ring's nodes among the splits of a layer
    std::size_t first_position = 0;        ///< row of the first node in the network's position table
  };
  std::vector<Level> levels;    ///< depth + 1
  std::vector<float> radius;    ///< of the middle of each ring, in units of 9.3 mm
  std::size_t splits_of_layer;  ///< places that a layer's splits can have: rings, then level by level
};

/// A node of the tree in phi, in one ring.
struct PatternNode {
  int ring, node;
};

/// Energies of one shower while they are split within its layers, in order of depth: rings, then halves in
/// phi. The same walk serves training (parts are given) and sampling (they are drawn): features see only what
/// has been set.
///
/// Order: for each layer with energy begin_layer(); the rings from the inside while ring_energy() > 0; for
/// each level begin_level(), then the nodes of colour 0, then those of colour 1, all features before the
/// first set_node(); then end_layer(). Layers without energy: skip_layer().
class PatternWalk {
 public:
  explicit PatternWalk(const PatternFrame& frame);

  void start(const ConditionFeatures& conditions, const std::vector<float>& layer_energies);
  float layer_energy(int layer) const { return layer_energies_[static_cast<std::size_t>(layer)]; }
  void begin_layer(int layer);

  /// Energy in this ring and those outside of it.
  float ring_energy() const { return remaining_; }
  int ring() const { return ring_; }
  /// Inputs of the network `rings`, of splitting this ring from those outside of it.
  void ring_features(float* x) const;
  void set_ring(float ring_mev, float outside_mev);
  /// What is left is the outermost ring's.
  void end_rings();

  void begin_level(int level);
  /// The nodes to split that have energy, of one of two colours like a chessboard's: neighbours differ.
  void nodes(int level, int colour, std::vector<PatternNode>& out) const;
  float energy(int level, PatternNode at) const {
    return energies_[static_cast<std::size_t>(level)][index(level, at)];
  }
  /// Inputs of the network `phi<level>`.
  void node_features(int level, PatternNode at, float* x) const;
  void set_node(int level, PatternNode at, float a_mev, float b_mev);

  void end_layer();
  void skip_layer(int layer);
  /// Takes in a layer that was split with another segmentation.
  /// @param cells_mev  its energies in the cells of this one, `[r, phi]`
  /// @param hits  its hits there, which need not be whole numbers
  void see_layer(int layer, const std::vector<float>& cells_mev, const std::vector<float>& hits);
  /// Energies of the layer's cells, `[r, phi]`.
  const std::vector<float>& cells() const { return energies_.back(); }

  /// Position of a split among a layer's, for its random numbers.
  std::size_t split_of_ring() const { return static_cast<std::size_t>(ring_); }
  std::size_t split_of_node(int level, PatternNode at) const {
    return frame_.levels[static_cast<std::size_t>(level)].split_begin[static_cast<std::size_t>(at.ring)] +
           static_cast<std::size_t>(at.node);
  }
  /// Its row in the network's position table.
  std::size_t position_of_ring() const {
    return frame_.first_ring_position + static_cast<std::size_t>(ring_);
  }
  std::size_t position_of_node(int level, PatternNode at) const {
    return frame_.levels[static_cast<std::size_t>(level)].first_position + index(level, at);
  }
  /// Row of a ring's hit spectrum.
  int spectrum_of(int ring) const { return static_cast<int>(frame_.first_ring) + ring; }

 private:
  static constexpr int kBefore = 3;  // layers that are seen behind the current one
  static constexpr int kSlots = kBefore + 1;
  static constexpr std::size_t kPad = 2;
  struct Vector {
    float x = 0, y = 0;
  };

  std::size_t index(int level, PatternNode at) const {
    return static_cast<std::size_t>(at.ring) *
               static_cast<std::size_t>(frame_.levels[static_cast<std::size_t>(level)].nodes) +
           static_cast<std::size_t>(at.node);
  }
  std::size_t slot(int before) const { return static_cast<std::size_t>((layer_ - before + kSlots) % kSlots); }
  float* plane(std::size_t level, std::size_t slot) {
    return codes_[level].data() + slot * frame_.levels[level].plane;
  }
  const float* plane(std::size_t level, std::size_t slot) const {
    return codes_[level].data() + slot * frame_.levels[level].plane;
  }
  // If not, none of the ring's nodes has.
  bool has_energy(int ring) const { return energies_[0][static_cast<std::size_t>(ring)] > 0; }
  void clear(int layer);
  void finish_layer();
  void put(std::size_t level, float* plane, PatternNode at, float code) const;
  void set(std::size_t level, PatternNode at, float energy_mev);
  Vector centre_of_gravity(std::size_t level) const;

  const PatternFrame& frame_;
  const ConditionFeatures* conditions_ = nullptr;
  std::vector<float> layer_energies_, layer_codes_, before_codes_, after_codes_;
  int layer_ = 0, ring_ = 0;
  float remaining_ = 0;
  std::vector<std::vector<float>> energies_;          // by level: [r, node] of this layer
  std::vector<std::vector<float>> codes_;             // by level: planes of this layer and those before
  std::vector<std::vector<float>> sums_, sum_codes_;  // by level: of all layers before; codes as a plane
  std::vector<std::array<std::vector<float>, kSlots>> hit_codes_;  // by level: ln(1 + hits), [r, node]
  std::array<std::vector<float>, kSlots> ring_codes_, ring_hits_;
  std::vector<float> ring_sum_codes_;
  float before_mev_ = 0;
  std::vector<float> hits_, upper_hits_;  // by node of two levels; of a layer of another segmentation, shares
  Vector centre_1_, centre_2_, centre_before_, centre_level_, moment_;
};

}  // namespace calo::cascade
