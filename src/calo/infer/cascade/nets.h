#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace calo::cascade {

/// The cells of a ring as a tree of halves in phi: level 0 is the whole ring, the last level its cells.
/// Halves may be uneven by one cell; a node of one cell goes on to the next level as it is.
class PhiTree {
 public:
  struct Node {
    int begin, end;   ///< cells [begin, end)
    int first_child;  ///< in the next level, where there is one
    bool is_split;    ///< into first_child and first_child + 1; else first_child is the node itself
  };

  explicit PhiTree(int n_phi);

  /// Levels that have nodes to split: 4 for 16 cells, 6 for 50.
  int depth() const { return static_cast<int>(levels_.size()) - 1; }
  const std::vector<Node>& level(int level) const { return levels_[static_cast<std::size_t>(level)]; }
  int nodes(int level) const { return static_cast<int>(levels_[static_cast<std::size_t>(level)].size()); }

 private:
  std::vector<std::vector<Node>> levels_;
};

/// One of the networks of a cascade (doc/cascade.md).
struct CascadeNet {
  std::string name;            ///< total, layers, rings, phi0, phi1 …
  std::int64_t inputs = 0;     ///< features of a split
  std::int64_t width = 0;      ///< of each hidden layer
  std::int64_t depth = 0;      ///< hidden layers
  std::int64_t outputs = 0;    ///< parameters of the density
  std::int64_t layers = 0;     ///< rows of the table by layer; 0 = no table
  std::int64_t positions = 0;  ///< rows of the table by position; 0 = no table
  std::int64_t spectra = 0;    ///< learned hit spectra, one a ring; 0 = none
};

/// Numbers that shapes follow from.
struct CascadeSizes {
  static constexpr std::int64_t kTotalComponents = 8;  ///< normals of the density of the total energy
  static constexpr std::int64_t kNormals = 5;          ///< in ln(a/b)
  static constexpr std::int64_t kLogistics = 4;        ///< in ln(a/T), and as many in ln(b/T)
  static constexpr std::int64_t kSpectrumBins = 160;   ///< of a learned hit spectrum
};

/// Division of a layer into rings, each in equal parts in phi.
struct Segmentation {
  std::vector<double> r_edges_mm;  ///< ascending
  int n_phi = 0;

  int n_r() const { return static_cast<int>(r_edges_mm.size()) - 1; }
  std::size_t cells() const { return static_cast<std::size_t>(n_r()) * static_cast<std::size_t>(n_phi); }
  bool operator==(const Segmentation&) const = default;
};

/// The layers of a mesh that have cells, in order of depth.
struct CascadeMesh {
  std::vector<Segmentation> segmentations;  ///< all different
  std::vector<std::size_t> of_layer;        ///< segmentation of each layer
  /// True for a regular cylinder, whose cells are in order [r, phi, z]. Otherwise they are in order
  /// (layer, phi, r).
  bool is_cylinder = false;

  static CascadeMesh cylinder(int n_r, int n_phi, int n_z, double size_r_mm);
  static CascadeMesh of_layers(const std::vector<Segmentation>& layers);

  int n_z() const { return static_cast<int>(of_layer.size()); }
  const Segmentation& layer(int layer) const {
    return segmentations[of_layer[static_cast<std::size_t>(layer)]];
  }
  /// Largest number of rings of a layer.
  int most_rings() const;
  /// Rings of all segmentations; and of those before one.
  std::int64_t rings() const { return rings_before(segmentations.size()); }
  std::int64_t rings_before(std::size_t segmentation) const;
  std::int64_t num_cells() const;
  /// Indices in the mesh of the cells of a layer, `[r, phi]`.
  std::vector<std::uint32_t> cells_of(int layer) const;
  bool operator==(const CascadeMesh&) const = default;
};

/// What the networks of a cascade follow from.
struct CascadeShape {
  CascadeMesh mesh;
  std::int64_t width = 0;       ///< of hidden layers
  std::int64_t depth = 0;       ///< hidden layers
  std::int64_t geometries = 0;  ///< places of the one-hot
};

/// The networks of a cascade, in the order of the splits. The rows of a table by position, and the spectra,
/// are those of one segmentation after the other.
/// @throws core::InputError if the mesh has no two layers, or no layer with two rings, or a size is not
///         positive
std::vector<CascadeNet> cascade_nets(const CascadeShape& shape);

/// Names and shapes of a cascade's tensors: `NET.I.weight`, `NET.I.bias`, `NET.output.weight`,
/// `NET.output.bias`, `NET.layer_table`, `NET.position_table`, `NET.spectra`; and, fitted to the data before
/// training, `threshold_mev`, `response` (mean of total over incident energy, width of its logarithm at 1
/// GeV) and `layer_cuts` (first layer of the right side of each split in depth).
std::map<std::string, std::vector<std::int64_t>> cascade_shapes(const CascadeShape& shape);

}  // namespace calo::cascade
