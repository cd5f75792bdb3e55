#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace core {
class JsonPlace;
}

namespace calo {

/// Division of one layer along the shower axis (z): rings in r, each in `n_phi` equal parts.
struct LayerBinning {
  std::vector<double> r_edges_mm;  ///< ascending; a layer with fewer than two edges has no cells
  int n_phi = 0;

  int n_r() const { return r_edges_mm.size() < 2 ? 0 : static_cast<int>(r_edges_mm.size()) - 1; }
  int num_cells() const { return n_r() * n_phi; }
  bool operator==(const LayerBinning&) const = default;

  template <class V>
  void describe(V& v) {
    v("r_edges_mm", r_edges_mm, {.required = true});
    v("n_phi", n_phi, {.required = true});
  }
};

/// Position of a cell in its mesh.
struct CellPosition {
  int layer;  ///< z index
  int phi;
  int r;
  bool operator==(const CellPosition&) const = default;
};

/// A mesh of voxels around the direction of the incident particle.
///
/// There are two kinds: the regular cylinder (all layers alike, equal steps in r), and the layered mesh,
/// whose layers differ (CaloChallenge data set 1). Every cell has a canonical index: in a cylinder, its index
/// in `[r, phi, z]` with z fastest (as in MLFastSim and Par04); in a layered mesh, its index in (layer, phi,
/// r) with r fastest (as in the CaloChallenge).
class VoxelMesh {
 public:
  struct Cylinder {
    int n_r = 18;
    int n_phi = 50;
    int n_z = 45;
    double size_r_mm = 2.325;  ///< size of one cell
    double size_z_mm = 3.4;    ///< size of one cell
    bool operator==(const Cylinder&) const = default;

    template <class V>
    void describe(V& v) {
      v("n_r", n_r, {.min = 1, .required = true});
      v("n_phi", n_phi, {.min = 1, .required = true});
      v("n_z", n_z, {.min = 1, .required = true});
      v("size_r_mm", size_r_mm, {.min = 0, .above_min = true, .required = true});
      v("size_z_mm", size_z_mm, {.min = 0, .above_min = true, .required = true});
    }
  };

  /// The Par04 SiW mesh.
  VoxelMesh() : VoxelMesh(Cylinder{}) {}

  /// @throws core::UsageError if a number of cells or a size is not positive, or the mesh has 2^31 or more
  ///         cells
  explicit VoxelMesh(const Cylinder& cylinder);

  /// @param size_z_mm depth of one layer; 0 = unknown
  /// @throws core::InputError if edges are not radii or do not ascend, or no layer has a cell
  explicit VoxelMesh(std::vector<LayerBinning> layers, double size_z_mm = 0);

  bool is_cylinder() const { return is_cylinder_; }
  /// @throws core::InputError for a layered mesh
  const Cylinder& cylinder() const;

  int num_layers() const { return is_cylinder_ ? cylinder_.n_z : static_cast<int>(layers_.size()); }
  std::int64_t num_cells() const { return num_cells_; }
  /// Largest number of cells in r of any layer.
  int max_n_r() const;
  double size_z_mm() const { return is_cylinder_ ? cylinder_.size_z_mm : size_z_mm_; }
  /// Binning of a layer (the same for all layers of a cylinder).
  const LayerBinning& layer(int layer) const {
    return layers_[is_cylinder_ ? 0 : static_cast<std::size_t>(layer)];
  }

  /// Canonical index of a cell. The arguments are not checked.
  std::uint32_t cell(int layer, int phi, int r) const;
  CellPosition position(std::uint32_t cell) const;

  /// "18 x 50 x 45 cells (r, phi, z) of 2.325 x 3.4 mm" or "7 layers, 533 cells".
  std::string to_string() const;
  nlohmann::json to_json() const;
  /// @throws core::InputError naming the field
  static VoxelMesh from_json(const nlohmann::json& json);
  /// Implementation of from_json() for core::read_json().
  void read(const nlohmann::json& object, core::JsonPlace& place);

  bool operator==(const VoxelMesh& other) const;
  /// True if cells with the same index have the same layer, phi and r: sizes and empty layers at the end may
  /// differ.
  bool has_cells_of(const VoxelMesh& other) const;
  /// True if the meshes are the same within rounding: cells as in has_cells_of(), sizes within 1e-6. An
  /// unknown depth equals any depth.
  bool is_alike(const VoxelMesh& other) const;

 private:
  bool is_cylinder_ = true;
  Cylinder cylinder_{};
  std::vector<LayerBinning> layers_;        // one entry for a cylinder
  std::vector<std::uint32_t> layer_begin_;  // layered mesh: first cell of each layer, and the end
  double size_z_mm_ = 0;
  std::int64_t num_cells_ = 0;
};

/// Mesh with this name: "SiW", "SciPb" (Par04, 18 x 50 x 45), "SiW-lowgran" (9 x 16 x 45).
/// @throws core::UsageError listing the known names
VoxelMesh named_mesh(const std::string& name);

/// Layered mesh of a public data set, by its number of cells: 368 and 533 (data set 1 of the CaloChallenge,
/// photons and pions). None for other numbers.
std::optional<VoxelMesh> mesh_of_cells(std::uint64_t num_cells);

}  // namespace calo
