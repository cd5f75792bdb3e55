#include "geant4/fast_sim/shower_frame.h"

#include <cmath>
#include <numbers>
#include <string>

#include "core/error.h"

namespace geant4 {

ShowerFrame::ShowerFrame(const Vector3& entry, const Vector3& direction) : entry_(entry) {
  const double across = std::hypot(direction.x, direction.y), length = std::hypot(across, direction.z);
  cos_theta_ = direction.z / length;
  sin_theta_ = across / length;
  cos_phi_ = across > 0 ? direction.x / across : 1;
  sin_phi_ = across > 0 ? direction.y / across : 0;
}

Vector3 ShowerFrame::to_local(const Vector3& global) const {
  const double dx = global.x - entry_.x, dy = global.y - entry_.y, dz = global.z - entry_.z;
  const double along = dx * cos_phi_ + dy * sin_phi_;
  return {.x = along * cos_theta_ - dz * sin_theta_,
          .y = dy * cos_phi_ - dx * sin_phi_,
          .z = along * sin_theta_ + dz * cos_theta_};
}

Vector3 ShowerFrame::to_global(const Vector3& local) const {
  const double along = local.x * cos_theta_ + local.z * sin_theta_;
  return {.x = entry_.x + along * cos_phi_ - local.y * sin_phi_,
          .y = entry_.y + along * sin_phi_ + local.y * cos_phi_,
          .z = entry_.z + local.z * cos_theta_ - local.x * sin_theta_};
}

CylinderMesh::CylinderMesh(const Size& size) : size_(size) {
  if (size.n_r < 1 || size.n_phi < 1 || size.n_z < 1 || !(size.size_r_mm > 0) || !(size.size_z_mm > 0))
    throw core::UsageError(
        {.message = "must have at least one cell in r, phi and z, and sizes above zero",
         .field = "mesh",
         .hint = "the model does not give number and size of its cells, or one of them is zero"});
  for (int phi = 0; phi < size.n_phi; ++phi) {
    const double angle = (phi + 0.5) * 2 * std::numbers::pi / size.n_phi - std::numbers::pi;
    cos_phi_.push_back(std::cos(angle));
    sin_phi_.push_back(std::sin(angle));
  }
}

Vector3 CylinderMesh::centre(std::uint32_t cell) const {
  const auto n_z = static_cast<std::uint32_t>(size_.n_z), n_phi = static_cast<std::uint32_t>(size_.n_phi);
  const std::uint32_t z = cell % n_z, phi = cell / n_z % n_phi, r = cell / n_z / n_phi;
  const double radius_mm = (r + 0.5) * size_.size_r_mm;
  return {.x = radius_mm * cos_phi_[phi], .y = radius_mm * sin_phi_[phi], .z = (z + 0.5) * size_.size_z_mm};
}

std::optional<std::uint32_t> CylinderMesh::cell_at(const Vector3& local) const {
  const double z = std::floor(local.z / size_.size_z_mm);
  const double r = std::floor(std::hypot(local.x, local.y) / size_.size_r_mm);
  if (!(z >= 0 && z < size_.n_z && r < size_.n_r)) return std::nullopt;
  const double turn = (std::atan2(local.y, local.x) + std::numbers::pi) / (2 * std::numbers::pi);
  // A full turn is the beginning of the first cell.
  const int phi = static_cast<int>(turn * size_.n_phi) % size_.n_phi;
  return static_cast<std::uint32_t>((static_cast<int>(r) * size_.n_phi + phi) * size_.n_z +
                                    static_cast<int>(z));
}

bool is_contained(double distance_to_exit_mm, double depth_mm, double fraction) {
  constexpr double kForgivenMm = 1e-3;
  return distance_to_exit_mm >= fraction * depth_mm - kForgivenMm;
}

}  // namespace geant4
