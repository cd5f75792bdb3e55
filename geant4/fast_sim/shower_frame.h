#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace geant4 {

/// A point or a direction; lengths in mm.
struct Vector3 {
  double x = 0, y = 0, z = 0;
};

/// Coordinates of one shower: the origin is the point where its particle enters the calorimeter, z is the
/// particle's direction. They result from global coordinates by a rotation about z by minus the direction's
/// azimuth, then about y by minus its polar angle, as in Geant4's example Par04 (which orients its mesh, and
/// so the data of its models, in this way).
class ShowerFrame {
 public:
  /// @param direction  of any length above zero
  ShowerFrame(const Vector3& entry, const Vector3& direction);

  Vector3 to_local(const Vector3& global) const;
  Vector3 to_global(const Vector3& local) const;

 private:
  Vector3 entry_;
  double cos_theta_, sin_theta_, cos_phi_, sin_phi_;
};

/// A regular cylinder of cells around the z axis of a ShowerFrame, starting at its origin. Cells are numbered
/// `[r, phi, z]` with z fastest; the first cell in phi begins at -pi.
class CylinderMesh {
 public:
  struct Size {
    int n_r = 0, n_phi = 0, n_z = 0;
    double size_r_mm = 0, size_z_mm = 0;  ///< size of one cell
  };

  /// @throws core::UsageError if a number or size is not above zero
  explicit CylinderMesh(const Size& size);

  const Size& size() const { return size_; }
  std::uint32_t num_cells() const {
    return static_cast<std::uint32_t>(size_.n_r) * static_cast<std::uint32_t>(size_.n_phi * size_.n_z);
  }
  double depth_mm() const { return size_.n_z * size_.size_z_mm; }
  double radius_mm() const { return size_.n_r * size_.size_r_mm; }

  /// The centre of a cell, in coordinates of the frame. The index is not checked.
  Vector3 centre(std::uint32_t cell) const;
  /// The cell that contains a point of the frame; none outside the mesh.
  std::optional<std::uint32_t> cell_at(const Vector3& local) const;

 private:
  Size size_;
  std::vector<double> cos_phi_, sin_phi_;  // of the centres of cells
};

/// True if a shower that is `depth_mm` deep ends inside an envelope which its axis leaves after
/// `distance_to_exit_mm`. Only `fraction` of the depth must fit, with a tolerance of one micrometre, so that
/// a mesh as deep as its calorimeter fits.
bool is_contained(double distance_to_exit_mm, double depth_mm, double fraction);

}  // namespace geant4
