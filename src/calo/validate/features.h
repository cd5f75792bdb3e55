#pragma once

#include <array>
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

/// Centre and width of the energy in one layer, as in the CaloChallenge (code/HighLevelFeatures.py): eta and
/// phi are the Cartesian coordinates r cos(alpha), r sin(alpha) of the cells' centres, the width is
/// sqrt(E[x^2] - E[x]^2). All 0 for a layer without energy; eta and phi are 0 if the layer is not divided in
/// alpha.
struct LayerShape {
  double center_eta = 0, width_eta = 0;  ///< mm
  double center_phi = 0, width_phi = 0;  ///< mm
  double center_r = 0, width_r = 0;      ///< mm
  double sparsity = 1;                   ///< share of the layer's cells without energy
};

/// Histogram of cell energies: log10(E / MeV) from -3 to 4; what lies outside is in the first and last bin.
constexpr std::size_t kCellBins = 70;
constexpr double kCellLow = -3, kCellHigh = 4;

/// High-level features of one shower. Positions of rings and layers are index x cell size, as in MLFastSim; a
/// layered mesh has no common cell size: its rings are 20 equal steps to the largest radius, filled at the
/// cells' centres, and its layers count 1 mm each where the depth is unknown.
struct ShowerFeatures {
  double incident_energy_mev = 0;
  double total_mev = 0;            ///< sum of the cells
  std::int64_t cells = 0;          ///< with energy, above the threshold
  std::vector<double> layer_mev;   ///< energy of each layer
  std::vector<double> ring_mev;    ///< energy of each ring
  std::vector<double> sector_mev;  ///< energy of each step in phi; empty for a layered mesh
  std::vector<LayerShape> layers;
  Moments longitudinal, lateral;  ///< 0 for an empty shower
  /// Depth and radius within which 90 % of the energy lie, mm, interpolated inside the layer or ring.
  double depth_90_mm = 0, radius_90_mm = 0;
  double peak_depth_mm = 0;                    ///< position of the layer with most energy
  double hottest_cell_mev = 0;                 ///< energy of the cell with most energy
  double log_sum = 0;                          ///< sum of log10(E / MeV) over the cells
  std::array<float, kCellBins> cell_counts{};  ///< cells by log10(E / MeV)
  std::uint64_t fingerprint = 0;  ///< of conditions and cells: tells showers apart whatever their order

  bool is_empty() const { return !(total_mev > 0); }
};

/// How a mesh divides r, phi and z for profiles.
struct MeshAxes {
  int layers = 0, rings = 0, sectors = 0;  ///< sectors: 0 for a layered mesh
  double layer_mm = 0, ring_mm = 0;        ///< size of one; a layer of unknown depth is 1
  bool is_cylinder = true;
  bool has_depth = true;          ///< whether layer_mm is known
  std::vector<bool> has_cells;    ///< [layer]
  std::vector<bool> has_sectors;  ///< [layer]: cells, and more than one in phi
  std::vector<double> radius_mm;  ///< [layer]: largest; 0 without cells

  explicit MeshAxes(const VoxelMesh& mesh);

  std::size_t layers_with_cells() const;
};

/// Computes the features of one shower after the other. Copies share their tables.
class FeatureExtractor {
 public:
  /// @param threshold_mev cells below are left out; cells that are not above 0 or not finite always are
  FeatureExtractor(const VoxelMesh& mesh, double threshold_mev);

  bool counts(double energy_mev) const {
    return energy_mev > 0 && energy_mev >= threshold_mev_ && energy_mev <= kLargest;
  }
  const MeshAxes& axes() const { return axes_; }
  /// The result is valid until the next call.
  const ShowerFeatures& extract(const Showers& showers, std::size_t shower);

 private:
  static constexpr double kLargest = 3.4028234663852886e38;  // of float: infinity is above
  struct Cell {
    float eta, phi;  // mm
    float r;
    std::uint16_t layer, ring, sector;
    std::uint32_t annulus;  // of a layered mesh: place in annuli_
  };
  // A ring of one layer of a layered mesh.
  struct Annulus {
    double inner_mm, outer_mm, energy;
  };
  double radius_of_share(double share) const;
  struct LayerSums {
    double energy, eta, eta2, phi, phi2, r, r2, cells;
  };
  MeshAxes axes_;
  double threshold_mev_;
  std::vector<Cell> cells_;
  std::vector<double> layer_cells_;  // number of cells
  std::vector<LayerSums> sums_;
  std::vector<Annulus> annuli_;
  std::vector<double> edges_mm_;  // of all layers, ascending
  ShowerFeatures features_;
};

/// Features as numbers, a row for each shower: what classifiers and distances work on.
struct FeatureTable {
  std::vector<std::string> names;  ///< of the columns
  std::vector<float> values;       ///< [rows, columns]

  std::size_t columns() const { return names.size(); }
  std::size_t rows() const { return names.empty() ? 0 : values.size() / names.size(); }
  const float* row(std::size_t i) const { return values.data() + i * names.size(); }
  void append(const FeatureTable& other) {
    values.insert(values.end(), other.values.begin(), other.values.end());
  }
  void resize(std::size_t rows) { values.resize(rows * columns()); }
  /// Sets a row to columns() numbers; those that are not finite become 0.
  void set_row(std::size_t i, const std::vector<double>& numbers);
  /// The first rows of it.
  FeatureTable first(std::size_t rows) const;
};

/// An empty table with the columns that high_level_row() fills: log10 of the incident energy (GeV; it comes
/// first), response, moments, sparsity (share of cells without energy), and log10 of each layer's share of
/// the total.
FeatureTable high_level_table(const VoxelMesh& mesh);
std::vector<double> high_level_row(const ShowerFeatures& features, std::int64_t num_cells);

/// The CaloChallenge's high-level features (code/evaluate.py, what its classifiers, FPD and KPD see): log10
/// of the incident energy, of each layer's energy + 1e-8 (MeV), then for the layers divided in alpha the
/// centres in eta, in phi, the widths in eta, in phi, in units of 100 mm.
FeatureTable calochallenge_table(const VoxelMesh& mesh);
std::vector<double> calochallenge_row(const ShowerFeatures& features, const VoxelMesh& mesh);

}  // namespace calo
