#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "calo/geometry/voxel_mesh.h"
#include "calo/preprocess/transform.h"
#include "calo/shower/showers.h"
#include "core/philox.h"

namespace test {

// Uneven halves in phi (7 = 3 + 4, 4 = 2 + 2, 3 = 1 + 2) and an odd number of rings.
inline calo::VoxelMesh uneven_mesh() {
  return calo::VoxelMesh(calo::VoxelMesh::Cylinder{.n_r = 5, .n_phi = 7, .n_z = 6});
}

// Layers that differ in their rings and parts in phi; two are alike, and one has no cells.
inline calo::VoxelMesh layered_mesh() {
  return calo::VoxelMesh({{{0, 1, 2.5, 5}, 1},
                          {{0, 0.5, 1.5, 3, 6}, 10},
                          {{}, 0},
                          {{0, 1.5, 3, 8}, 7},
                          {{0, 0.5, 1.5, 3, 6}, 10},
                          {{0, 9}, 4},
                          {{1, 4, 9}, 1}});
}

// Showers with energies that decrease with radius and depth and with correlated layers, so that there is
// something to learn.
inline calo::Showers toy_showers(const calo::VoxelMesh& mesh, std::size_t count, std::uint64_t seed) {
  const int layers = mesh.num_layers();
  calo::Showers showers(mesh.num_cells(), {"SiW"});
  for (std::size_t i = 0; i < count; ++i) {
    core::Philox random(seed, i);
    const float energy = 1000.0f * std::exp(2 * random.uniform());
    const float depth = 1.5f + random.uniform() * static_cast<float>(layers - 3);
    std::vector<float> cells(static_cast<std::size_t>(mesh.num_cells()));
    for (int hit = 0; hit < 60; ++hit) {
      const float z = depth + 0.8f * random.normal(), r = std::abs(0.9f * random.normal());
      const int layer = static_cast<int>(z), ring = static_cast<int>(r);
      const calo::LayerBinning& of_layer = mesh.layer(std::clamp(layer, 0, layers - 1));
      const auto phi =
          static_cast<int>(random.below(static_cast<std::uint32_t>(std::max(of_layer.n_phi, 1))));
      if (layer < 0 || layer >= layers || ring >= of_layer.n_r()) continue;
      cells[mesh.cell(layer, phi, ring)] += energy / 60 * (0.5f + random.uniform());
    }
    showers.append_dense(
        {.incident_energy_mev = energy, .theta_rad = static_cast<float>(std::numbers::pi / 2)}, cells);
  }
  return showers;
}

/// The transform of toy_showers().
inline calo::Transform toy_transform(const calo::VoxelMesh& mesh) {
  return {.mesh = mesh,
          .max_energy_mev = 8000,
          .min_trained_energy_mev = 1000,
          .max_trained_energy_mev = 8000,
          .min_trained_theta_deg = 90,
          .max_trained_theta_deg = 90,
          .trained_geometries = {"SiW"}};
}

}  // namespace test
