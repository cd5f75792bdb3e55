#include "calo/geometry/voxel_mesh.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/staged_output.h"
#include "support/temp_folder.h"

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

// Shape of the CaloChallenge's data set 1: layers differ, some have no cells.
constexpr auto kBinning = R"(<Bins><Bin pid="22" name="photon">
<Layer id="0" r_edges="0,5,10,30,50" n_bin_alpha="1"/><Layer id="1" r_edges="0,2,4" n_bin_alpha="10"/>
<Layer id="2" r_edges="0" n_bin_alpha="1"/><Layer id="3" r_edges="0,50,100" n_bin_alpha="2"/></Bin>
<Bin pid="211" name="pion"><Layer id="0" r_edges="0,5" n_bin_alpha="1"/></Bin></Bins>)";

TEST(VoxelMesh, ReadsABinningFileWithDifferentLayers) {
  const test::TempFolder folder;
  core::write_file(folder / "binning.xml", kBinning);
  const VoxelMesh mesh = VoxelMesh::from_binning_xml(folder / "binning.xml", "photon");
  EXPECT_FALSE(mesh.is_cylinder());
  EXPECT_EQ(mesh.num_cells(), 4 + 20 + 0 + 4);
  EXPECT_EQ(mesh.cell(1, 1, 1), 4u + 2 + 1);  // r is fastest
  expect_cells_and_positions_agree(mesh);
  EXPECT_THROW(mesh.cylinder(), core::InputError);
}

TEST(VoxelMesh, ABinningFileOfEqualLayersIsACylinder) {
  const test::TempFolder folder;
  core::write_file(folder / "b.xml",
                   R"(<Bins><Bin name="electron"><Layer r_edges="0,4.65,9.3" n_bin_alpha="16"/>
    <Layer r_edges="0,4.65,9.3" n_bin_alpha="16"/></Bin></Bins>)");
  const VoxelMesh mesh = VoxelMesh::from_binning_xml(folder / "b.xml", "");
  ASSERT_TRUE(mesh.is_cylinder());
  EXPECT_DOUBLE_EQ(mesh.cylinder().size_r_mm, 4.65);
  EXPECT_EQ(mesh.num_cells(), 2 * 16 * 2);
}

TEST(VoxelMesh, NamesWhatIsWrongInABinningFile) {
  const test::TempFolder folder;
  core::write_file(folder / "a.xml", kBinning);
  EXPECT_THROW(VoxelMesh::from_binning_xml(folder / "a.xml", "muon"), core::InputError);
  EXPECT_THROW(VoxelMesh::from_binning_xml(folder / "a.xml", ""), core::InputError);
  EXPECT_THROW(VoxelMesh::from_binning_xml(folder / "missing.xml", ""), core::InputError);
  for (const char* edges : {"0,5,3", "0,x", "0,inf"}) {
    core::write_file(folder / "b.xml", std::string(R"(<Bins><Bin name="e"><Layer r_edges=")") + edges +
                                           R"(" n_bin_alpha="2"/></Bin></Bins>)");
    EXPECT_THROW(VoxelMesh::from_binning_xml(folder / "b.xml", "e"), core::InputError) << edges;
  }
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
}

}  // namespace
