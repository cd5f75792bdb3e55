#pragma once

#include <cstdint>
#include <numbers>
#include <vector>

#include "calo/geometry/voxel_mesh.h"
#include "calo/shower/showers.h"
#include "core/philox.h"

namespace test {

/// Random sparse showers in the usual form, for tests that hold for any showers: a third of the cells filled,
/// whole GeV from 1 to 4, 90 degrees.
inline calo::Showers random_showers(const calo::VoxelMesh& mesh, std::size_t count, std::uint64_t seed,
                                    const std::vector<std::string>& geometries = {"SiW"}) {
  calo::Showers showers(mesh.num_cells(), geometries);
  for (std::size_t i = 0; i < count; ++i) {
    core::Philox random(seed, i);
    const float energy_mev = 1000.0f * static_cast<float>(1 + random.below(4));
    std::vector<std::uint32_t> cells;
    std::vector<float> energies;
    for (std::uint32_t cell = 0; cell < static_cast<std::uint32_t>(mesh.num_cells()); ++cell) {
      if (random.below(3) != 0) continue;
      cells.push_back(cell);
      energies.push_back(energy_mev * (0.5f + random.uniform()) * 3.0f /
                         static_cast<float>(mesh.num_cells()));
    }
    showers.append({.incident_energy_mev = energy_mev,
                    .theta_rad = static_cast<float>(std::numbers::pi / 2),
                    .geometry = static_cast<std::uint16_t>(i % geometries.size())},
                   cells, energies);
  }
  return showers;
}

/// A mesh of 4 x 6 x 5 cells.
inline calo::VoxelMesh small_mesh() {
  return calo::VoxelMesh(calo::VoxelMesh::Cylinder{.n_r = 4, .n_phi = 6, .n_z = 5});
}

}  // namespace test
