#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "calo/infer/cascade/draw.h"
#include "calo/infer/cascade/layer_walk.h"
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
Fit fit(const Showers& showers, std::span<const std::uint32_t> training, const VoxelMesh::Cylinder& mesh);

/// Energies of a shower by layer, `[layer, r, phi]`, and the sums of the layers.
class LayeredShower {
 public:
  explicit LayeredShower(const VoxelMesh::Cylinder& mesh);

  /// Moves cell phi of the shower to (mirror ? −1 − phi : phi) + turn, modulo the ring.
  void read(const Showers& showers, std::size_t shower, bool mirror, int turn);
  const float* cells(int layer) const { return cells_.data() + static_cast<std::size_t>(layer) * columns_; }
  const std::vector<float>& layer_energies() const { return layer_energies_; }
  float total_mev() const { return total_mev_; }

 private:
  VoxelMesh::Cylinder mesh_;
  std::size_t columns_;
  std::vector<float> cells_, layer_energies_;
  float total_mev_ = 0;
};

}  // namespace calo::cascade
