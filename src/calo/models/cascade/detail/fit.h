#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "calo/infer/cascade/draw.h"
#include "calo/infer/cascade/layer_walk.h"
#include "calo/infer/cascade/nets.h"
#include "calo/model/model_folder.h"
#include "calo/shower/showers.h"

namespace calo::cascade {

/// Properties of the training showers that a cascade needs before it is trained.
struct Fit {
  float threshold_mev = 0;
  float mean_response = 1, response_width = 1;
  std::vector<float> layer_cuts;
  std::vector<double> spectra;  ///< number of hits in each bin of Spectra, `[rings, bins]`
};

/// @throws core::InputError if the showers have no threshold, or none has energy
Fit fit(const Showers& showers, std::span<const std::uint32_t> training, const CascadeMesh& mesh);

/// Where the cells of a mesh lie in its layers.
class CellPlaces {
 public:
  explicit CellPlaces(const CascadeMesh& mesh);
  struct Place {
    std::uint32_t layer, ring, phi;
  };
  const Place& operator[](std::uint32_t cell) const { return places_[cell]; }

 private:
  std::vector<Place> places_;  // by index in the mesh
};

/// Energies of a shower by layer, each `[r, phi]`, and the sums of the layers.
class LayeredShower {
 public:
  explicit LayeredShower(const CascadeMesh& mesh);

  /// True if showers can be turned by half a turn: every ring has one cell or an even number.
  bool can_turn() const { return can_turn_; }
  /// @param mirror  in phi
  /// @param turn  by half a turn, if can_turn()
  void read(const Showers& showers, std::size_t shower, bool mirror, bool turn);
  /// Energies of the cells of a layer, `[r, phi]`.
  const float* cells(int layer) const { return cells_.data() + begin_[static_cast<std::size_t>(layer)]; }
  const std::vector<float>& layer_energies() const { return layer_energies_; }
  float total_mev() const { return total_mev_; }

 private:
  CellPlaces places_;
  std::vector<std::uint32_t> n_phi_;  // of each layer
  std::vector<std::size_t> begin_;    // of each layer's cells
  bool can_turn_ = true;
  std::vector<float> cells_, layer_energies_;
  float total_mev_ = 0;
};

}  // namespace calo::cascade
