#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "calo/geometry/voxel_mesh.h"
#include "calo/shower/showers.h"

namespace calo {

/// Energy-weighted mean and variance of a position.
struct Moments {
  double first = 0;   ///< mm
  double second = 0;  ///< mm^2
};

/// High-level features of one shower. Positions are index x cell size, as in MLFastSim.
struct ShowerFeatures {
  double incident_energy_mev = 0;
  double total_mev = 0;           ///< sum of the cells
  std::int64_t cells = 0;         ///< with energy, above the threshold
  std::vector<double> layer_mev;  ///< energy of each layer
  std::vector<double> ring_mev;   ///< energy of each ring
  Moments longitudinal, lateral;  ///< 0 for an empty shower

  bool is_empty() const { return !(total_mev > 0); }
};

/// Computes the features of one shower after the other.
class FeatureExtractor {
 public:
  /// @param threshold_mev cells below are left out; cells that are not above 0 or not finite always are
  /// @throws core::InputError for a layered mesh
  FeatureExtractor(const VoxelMesh& mesh, double threshold_mev);

  bool counts(double energy_mev) const;
  /// The result is valid until the next call.
  const ShowerFeatures& extract(const Showers& showers, std::size_t shower);

 private:
  const VoxelMesh& mesh_;
  VoxelMesh::Cylinder cylinder_;
  double threshold_mev_;
  ShowerFeatures features_;
};

/// Features as numbers, a row for each shower: what classifiers work on.
struct FeatureTable {
  std::vector<std::string> names;  ///< of the columns
  std::vector<float> values;       ///< [rows, columns]

  std::size_t columns() const { return names.size(); }
  std::size_t rows() const { return names.empty() ? 0 : values.size() / names.size(); }
  const float* row(std::size_t i) const { return values.data() + i * names.size(); }
  void append(const FeatureTable& other) {
    values.insert(values.end(), other.values.begin(), other.values.end());
  }
};

/// An empty table with the columns that append_row() fills: log10 of the incident energy (GeV; it comes
/// first), response, moments, sparsity (share of cells without energy), and log10 of each layer's share of
/// the total.
FeatureTable high_level_table(const VoxelMesh& mesh);
/// Adds a shower to a table made for the same mesh; all numbers are finite.
void append_row(FeatureTable& table, const ShowerFeatures& features, std::int64_t num_cells);

}  // namespace calo
