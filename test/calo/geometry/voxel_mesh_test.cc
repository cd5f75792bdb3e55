#include "calo/geometry/voxel_mesh.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"

namespace {

using calo::VoxelMesh;

void expect_cells_and_positions_agree(const VoxelMesh& mesh) {
  std::uint32_t count = 0;
  for (int layer = 0; layer < mesh.num_layers(); ++layer)
    for (int phi = 0; phi < mesh.layer(layer).n_phi; ++phi)
      for (int r = 0; r < mesh.layer(layer).n_r(); ++r, ++count) {
        const std::uint32_t cell = mesh.cell(layer, phi, r);
        ASSERT_LT(cell, mesh.num_cells());
        EXPECT_EQ(mesh.position(cell), (calo::CellPosition{.layer = layer, .phi = phi, .r = r}));
      }
  EXPECT_EQ(count, mesh.num_cells());
}

TEST(VoxelMesh, CylinderHasZFastest) {
  const VoxelMesh mesh(VoxelMesh::Cylinder{.n_r = 3, .n_phi = 4, .n_z = 5});
  EXPECT_EQ(mesh.cell(0, 0, 0), 0u);
  EXPECT_EQ(mesh.cell(1, 0, 0), 1u);
  EXPECT_EQ(mesh.cell(0, 1, 0), 5u);
  EXPECT_EQ(mesh.cell(0, 0, 1), 20u);
  expect_cells_and_positions_agree(mesh);
}

TEST(VoxelMesh, SurvivesJson) {
  const VoxelMesh cylinder;
  EXPECT_EQ(VoxelMesh::from_json(cylinder.to_json()), cylinder);
  const VoxelMesh layered({{.r_edges_mm = {0, 1, 3}, .n_phi = 2}, {.r_edges_mm = {0, 5}, .n_phi = 7}}, 3.4);
  EXPECT_EQ(VoxelMesh::from_json(layered.to_json()), layered);
  EXPECT_THROW(VoxelMesh::from_json({{"kind", "cylinder"}}), core::InputError);
  EXPECT_THROW(VoxelMesh::from_json({{"kind", "sphere"}}), core::InputError);
}

TEST(VoxelMesh, RefusesImpossibleNumbers) {
  EXPECT_THROW(VoxelMesh(VoxelMesh::Cylinder{.n_r = 0}), core::UsageError);
  EXPECT_THROW(VoxelMesh(VoxelMesh::Cylinder{.size_z_mm = -1}), core::UsageError);
  EXPECT_THROW(VoxelMesh(VoxelMesh::Cylinder{.n_r = 1 << 20, .n_phi = 1 << 10, .n_z = 1 << 10}),
               core::UsageError);
  EXPECT_THROW(calo::named_mesh("nothing"), core::UsageError);
  const auto layered = [](std::vector<double> edges, int n_phi) {
    return VoxelMesh({calo::LayerBinning{.r_edges_mm = std::move(edges), .n_phi = n_phi}});
  };
  EXPECT_NO_THROW(layered({0, 1}, 5));
  EXPECT_THROW(layered({0, 1}, 0), core::InputError);
  EXPECT_THROW(layered({1, 0}, 5), core::InputError);
  EXPECT_THROW(layered({-1, 0, 1}, 5), core::InputError);
  EXPECT_THROW(layered({0, std::nan("")}, 5), core::InputError);
  EXPECT_THROW(layered({0, 1, 2, 3}, 2'000'000'000), core::InputError);  // more cells than an int can count
  EXPECT_THROW(layered({0}, 5), core::InputError);                       // no cells at all
}

TEST(VoxelMesh, IsAlikeWithinRoundingAndLayersWithoutCells) {
  const VoxelMesh a(VoxelMesh::Cylinder{.n_r = 9, .n_phi = 16, .size_r_mm = 41.85 / 9}),
      b(VoxelMesh::Cylinder{.n_r = 9, .n_phi = 16, .size_r_mm = 4.65}),
      other(VoxelMesh::Cylinder{.n_r = 9, .n_phi = 16, .size_r_mm = 4.66});
  EXPECT_TRUE(a.is_alike(b));
  EXPECT_FALSE(a.is_alike(other));
  EXPECT_TRUE(a.has_cells_of(other));
  const calo::LayerBinning some{.r_edges_mm = {0, 5, 10}, .n_phi = 4}, none{.r_edges_mm = {0}, .n_phi = 1};
  const VoxelMesh short_mesh({some, none, some}), long_mesh({some, none, some, none, none}),
      moved({some, some}), thick({some, none, some}, 3.4),
      wider({some, none, {.r_edges_mm = {0, 5, 11}, .n_phi = 4}});
  EXPECT_TRUE(short_mesh.is_alike(long_mesh));
  EXPECT_TRUE(long_mesh.is_alike(short_mesh));
  EXPECT_TRUE(short_mesh.is_alike(thick));
  EXPECT_FALSE(short_mesh.is_alike(moved));
  EXPECT_FALSE(short_mesh.is_alike(wider));
  EXPECT_TRUE(short_mesh.has_cells_of(wider));
  EXPECT_FALSE(short_mesh.has_cells_of(a));
}

}  // namespace
