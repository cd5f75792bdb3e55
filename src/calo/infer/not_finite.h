#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include "core/error.h"

namespace calo::infer {

/// A model made cells that are NaN or infinite. Their energy would be gone where they are left out, so that
/// no shower of such a call is to be used.
class NotFiniteError : public core::InputError {
 public:
  using core::InputError::InputError;
};

/// The first shower of a call that has such cells.
struct SpoiltShower {
  std::filesystem::path model;
  std::string name;  ///< "shower 17" or "event 17, particle 0"
  double energy_mev = 0, theta_rad = 0, phi_rad = 0;
  std::string geometry;
  std::size_t count = 0;        ///< cells of it that are not finite
  std::size_t num_cells = 0;    ///< of the mesh
  std::size_t num_showers = 0;  ///< of the call that are spoilt
  std::size_t of_showers = 0;   ///< of the call
  std::size_t cell = 0;         ///< the first
  std::string place;            ///< of that cell: "r 1, phi 2, z 3"; empty if the mesh is not known
  float value = 0;              ///< of that cell
};

/// @throws NotFiniteError with the model, the particle and the cell
[[noreturn]] void refuse(const SpoiltShower& shower);

}  // namespace calo::infer
