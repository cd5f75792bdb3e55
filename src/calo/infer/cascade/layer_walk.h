#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace calo::cascade {

/// Energy as the networks see it: ln(E/T) / 8, and 0 for none.
float code_of(float energy_mev, float threshold_mev);

/// What was fitted to the training showers once, and what follows from mesh and conditions.
struct Frame {
  /// One split of layers [begin, end) into [begin, middle) and [middle, end), after those of the intervals
  /// around it.
  struct Interval {
    int begin, middle, end;
    int left = -1, right = -1;  ///< the splits of the two sides; -1 where a side is one layer
  };

  float threshold_mev = 0;   ///< T: no cell has less
  float mean_response = 1;   ///< total over incident energy
  float response_width = 1;  ///< of its logarithm, at 1 GeV
  std::vector<Interval> intervals;

  /// @param cuts  `middle` of each interval, in their order (WeightTensor `layer_cuts`)
  /// @throws core::InputError if they are no tree over the layers
  static std::vector<Interval> tree_of(std::span<const float> cuts, int layers);
  /// Cuts where half the mean energy is, neither side with less than a quarter of the layers.
  static std::vector<float> cuts_of(std::span<const double> mean_layer_energy);

  /// Width of the logarithm of the response that is expected at this energy.
  float width_at(float incident_energy_mev) const;
  /// Total energy as the logarithm of its response in units of the width, and back.
  float code_of_total(float total_mev, float incident_energy_mev) const;
  float total_of_code(double code, float incident_energy_mev) const;
};

/// Conditions of a shower as the networks see them: e = ln(E / 1 GeV) / ln 100; then angle and geometry.
struct ConditionFeatures {
  float e = 0;
  std::vector<float> others;  ///< (theta − 90 degrees) / 90 degrees, one-hot geometry

  /// @param geometry  place of the one-hot, which has `geometries`
  void set(float energy_mev, float theta_rad, std::size_t geometry, std::size_t geometries);
};

/// The first two networks' features: of the total energy, and of the layers' energies while they are split
/// from coarse to fine. The same walk serves training (parts are given) and sampling (they are drawn).
class LayerWalk {
 public:
  LayerWalk(const Frame& frame, int layers);

  /// Inputs of the network `total`: 3 and the other conditions.
  static void total_features(const ConditionFeatures& conditions, float* x);

  void start(const ConditionFeatures& conditions, float incident_energy_mev, float total_mev);
  /// Energy that split `node` shares out; 0 = nothing to do.
  float energy(std::size_t node) const { return energies_[node]; }
  /// Inputs of the network `layers`: 2 numbers a layer, 6, and the other conditions.
  void features(std::size_t node, float* x) const;
  void set(std::size_t node, float a_mev, float b_mev);
  /// Energies of the layers, after all splits.
  const std::vector<float>& layer_energies() const { return profile_; }

 private:
  void fill(int begin, int end, int split, float energy_mev);

  const Frame& frame_;
  const ConditionFeatures* conditions_ = nullptr;
  float total_mev_ = 0, total_code_ = 0;
  std::vector<float> energies_;                      // of each split
  std::vector<float> profile_, log_profile_, code_;  // of each layer: what is known, spread evenly
};

}  // namespace calo::cascade
