#include "calo/io/axes.h"

#include <gtest/gtest.h>

#include "support/dense_files.h"
#include "support/temp_folder.h"

namespace {

using calo::Axis;
using testing::Test;

TEST(Axes, AreReadByAllTheirNames) {
  EXPECT_EQ(calo::parse_axes("layer,phi,r"), calo::kZPhiR);
  EXPECT_EQ(calo::parse_axes("Z, Alpha, R"), calo::kZPhiR);
  EXPECT_EQ(calo::parse_axes("r,alpha,layer"), calo::kRPhiZ);
  EXPECT_EQ(calo::parse_axes("phi,z,r"), (calo::Axes{Axis::kPhi, Axis::kZ, Axis::kR}));
  for (const calo::Axes& axes : {calo::kRPhiZ, calo::kZPhiR, calo::parse_axes("phi,r,z")})
    EXPECT_EQ(calo::parse_axes(calo::to_string(axes)), axes);
  for (const char* wrong :
       {"", "r", "r,phi", "r,r,z", "r,phi,z,", "r,phi,z,r", "x,y,z", "r phi z", "z,layer,r"})
    EXPECT_THROW(calo::parse_axes(wrong), core::UsageError) << wrong;
}

// The same showers in every shape that neural networks use.
TEST(Axes, ShapesOfTheCaloChallengeGiveTheSameShowers) {
  const test::TempFolder folder;
  const std::vector<float> flat = test::flat_showers(4, 1);
  test::write_calochallenge(folder / "flat.h5", flat);
  const calo::Showers expected = test::read(folder / "flat.h5");
  ASSERT_EQ(expected.size(), 4u);
  // The first cell of the flat order's second ring is r = 1 in layer 0.
  const calo::VoxelMesh mesh = calo::named_mesh("SiW-lowgran");
  for (std::size_t hit = 0; hit < expected.cells_of(0).size(); ++hit) {
    const calo::CellPosition at = mesh.position(expected.cells_of(0)[hit]);
    EXPECT_EQ(expected.energies_of(0)[hit],
              flat[static_cast<std::size_t>((at.layer * 16 + at.phi) * 9 + at.r)]);
  }
  const std::vector<std::vector<hsize_t>> shapes = {{45, 16, 9}, {1, 45, 16, 9}, {45, 16, 9, 1},
                                                    {45, 144},   {1, 6480},      {6480, 1}};
  for (const auto& shape : shapes) {
    test::write_calochallenge(folder / "shaped.h5", flat, shape);
    EXPECT_TRUE(test::same_showers(test::read(folder / "shaped.h5"), expected)) << shape.size();
    EXPECT_TRUE(test::info_of(folder / "shaped.h5").notes.empty());
  }
}

TEST(Axes, OfTheUserHoldInEveryDenseLayout) {
  const test::TempFolder folder;
  const std::vector<float> flat = test::flat_showers(3, 2);
  test::write_calochallenge(folder / "flat.h5", flat);
  const calo::Showers expected = test::read(folder / "flat.h5");
  const std::vector<float> energies(3, 3000.0f);
  struct Case {
    std::array<int, 3> order;
    std::vector<hsize_t> shape;
    const char* axes;
  };
  for (const Case& each :
       {Case{{0, 1, 2}, {3, 45, 16, 9}, "layer,phi,r"}, Case{{2, 1, 0}, {3, 9, 16, 45}, "r,phi,z"},
        Case{{1, 0, 2}, {3, 16, 45, 9}, "alpha,z,r"}, Case{{2, 0, 1}, {3, 9, 45, 16}, "r,z,phi"},
        Case{{1, 2, 0}, {3, 16, 9, 45}, "phi,r,z"}, Case{{0, 2, 1}, {3, 45, 9, 16}, "z,r,phi"},
        Case{{0, 2, 1}, {3, 6480}, "z,r,phi"}}) {
    const std::vector<float> cells = test::transposed(flat, each.order);
    test::write_columns(folder / "par04.h5",
                        {{"incident_energy", energies, {3}}, {"showers", cells, each.shape}});
    test::write_columns(folder / "cc.h5",
                        {{"incident_energies", energies, {3}}, {"showers", cells, each.shape}});
    test::write_columns(folder / "SiW_angle_90.h5", {{"3", cells, each.shape}});
    for (const char* name : {"par04.h5", "cc.h5", "SiW_angle_90.h5"})
      EXPECT_TRUE(test::same_showers(test::read(folder / name, {.axes = each.axes}), expected))
          << name << " " << each.axes;
  }
  EXPECT_THROW(test::read(folder / "cc.h5", {.axes = "x"}), core::UsageError);
}

// A known mesh with another order of axes is a mistake that no number would reveal.
TEST(Axes, ThatWouldBeAKnownMeshInAnotherOrderAreRefused) {
  const test::TempFolder folder;
  const std::vector<float> flat = test::flat_showers(2, 3), energies(2, 3000.0f);
  test::write_columns(folder / "par04.h5",
                      {{"incident_energy", energies, {2}}, {"showers", flat, {2, 45, 16, 9}}});
  EXPECT_NE(test::refusal(folder / "par04.h5").find("--axes layer,phi,r"), std::string::npos);
  test::write_columns(folder / "SiW_angle_90.h5", {{"3", flat, {2, 16, 45, 9}}});
  EXPECT_NE(test::refusal(folder / "SiW_angle_90.h5").find("--axes phi,z,r"), std::string::npos);
  test::write_calochallenge(folder / "cc.h5", flat, {9, 16, 45});
  EXPECT_NE(test::refusal(folder / "cc.h5").find("--axes r,phi,z"), std::string::npos);
  test::write_calochallenge(folder / "cc.h5", flat, {144, 45});
  EXPECT_NE(test::refusal(folder / "cc.h5").find("--axes"), std::string::npos);
  // The user states a mesh.
  test::write_calochallenge(folder / "cc.h5", flat, {9, 16, 45});
  const std::string message = test::refusal(folder / "cc.h5", {.mesh = calo::named_mesh("SiW-lowgran")});
  EXPECT_NE(message.find("--axes r,phi,z"), std::string::npos) << message;
}

TEST(Axes, OfAMeshThatIsNotKnownAreNoted) {
  const test::TempFolder folder;
  const std::vector<float> cells(2 * 4 * 6 * 5, 1.0f), energies(2, 100.0f);
  test::write_calochallenge(folder / "cc.h5", std::vector<float>(2 * 6480, 1.0f), {18, 18, 20});
  EXPECT_NE(test::text_of(test::info_of(folder / "cc.h5").notes).find("give --axes"), std::string::npos);
  test::write_columns(folder / "par04.h5",
                      {{"incident_energy", energies, {2}}, {"showers", cells, {2, 4, 6, 5}}});
  EXPECT_NE(test::text_of(test::info_of(folder / "par04.h5").notes).find("4 x 6 x 5"), std::string::npos);
  const calo::VoxelMesh mesh(calo::VoxelMesh::Cylinder{.n_r = 4, .n_phi = 6, .n_z = 5});
  EXPECT_TRUE(test::info_of(folder / "par04.h5", {.mesh = mesh}).notes.empty());
  // par04 has no flat form.
  test::write_columns(folder / "flat.h5", {{"incident_energy", energies, {2}}, {"showers", cells, {2, 120}}});
  EXPECT_NE(test::text_of(test::info_of(folder / "flat.h5", {.mesh = mesh}).notes).find("is flat"),
            std::string::npos);
}

TEST(Axes, ShapesThatAreNoShowersAreRefused) {
  const test::TempFolder folder;
  const std::vector<float> two = test::flat_showers(4, 5);  // two channels
  const std::vector<float> energies(2, 3000.0f);
  for (const std::vector<hsize_t>& shape : std::vector<std::vector<hsize_t>>{{2, 2, 45, 16, 9},
                                                                             {2, 45, 16, 9, 2},
                                                                             {2, 12960},
                                                                             {2, 90, 144},
                                                                             {2, 1, 90, 144, 1},
                                                                             {2, 1, 1, 90, 16, 9}}) {
    test::write_columns(folder / "cc.h5", {{"incident_energies", energies, {2}}, {"showers", two, shape}});
    EXPECT_NE(test::refusal(folder / "cc.h5"), "") << shape.size();
  }
}

}  // namespace
