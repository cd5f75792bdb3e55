#include "calo/io/convert_showers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "calo/io/hdf5.h"
#include "calo/io/shower_writer.h"
#include "core/error.h"
#include "support/random_showers.h"
#include "support/temp_folder.h"

namespace {

using calo::Conditions;
using calo::Layout;
using calo::Showers;

constexpr Layout kLayouts[] = {Layout::kMlFastSim, Layout::kPar04, Layout::kCaloChallenge, Layout::kCalopipe};

calo::VoxelMesh layered_mesh() {
  return calo::VoxelMesh({calo::LayerBinning{.r_edges_mm = {0, 5, 10, 30}, .n_phi = 1},
                          calo::LayerBinning{.r_edges_mm = {0}, .n_phi = 1},
                          calo::LayerBinning{.r_edges_mm = {0, 2, 4}, .n_phi = 8}});
}

class ConvertShowers : public testing::Test {
 protected:
  std::filesystem::path write(const char* name, const Showers& showers, const calo::VoxelMesh& mesh,
                              std::map<std::string, std::variant<std::string, double>> attributes = {}) {
    const auto writer = calo::ShowerWriter::create(folder_ / name,
                                                   {.layout = Layout::kCalopipe,
                                                    .mesh = mesh,
                                                    .geometries = showers.geometries,
                                                    .attributes = std::move(attributes)},
                                                   pool_);
    writer->append(showers);
    writer->commit();
    return folder_ / name;
  }
  std::filesystem::path convert(const std::filesystem::path& in, const std::filesystem::path& name,
                                Layout layout, const std::set<calo::Droppable>& drop = {},
                                const calo::ReadOptions& read = {}) {
    const auto reader = calo::ShowerReader::open(in, read, pool_);
    calo::convert_showers(*reader, {.layout = layout, .drop = drop}, folder_ / name, pool_);
    return folder_ / name;
  }
  void expect_refused(const std::filesystem::path& in, Layout layout, const std::vector<std::string>& words,
                      const std::string& out = "refused.h5") {
    try {
      convert(in, out, layout);
      ADD_FAILURE() << "was written";
    } catch (const core::UsageError& error) {
      for (const std::string& word : words)
        EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << word << " in " << error.what();
    }
    EXPECT_FALSE(std::filesystem::exists(folder_ / out));
  }

  // One line for each shower, so that they can be compared in any order.
  std::vector<std::string> lines(const std::filesystem::path& path, const calo::ReadOptions& read = {}) {
    const auto reader = calo::ShowerReader::open(path, read, pool_);
    const Showers showers = calo::read_all(*reader);
    std::vector<std::string> result;
    for (std::size_t i = 0; i < showers.size(); ++i) {
      const Conditions& c = showers.conditions[i];
      std::string line = showers.geometries[c.geometry];
      for (const float number : {c.incident_energy_mev, c.theta_rad, c.phi_rad, c.sim_time_s})
        line += ' ' + std::to_string(std::isnan(number) ? 0u : std::bit_cast<std::uint32_t>(number));
      for (const std::uint32_t cell : showers.cells_of(i)) line += ' ' + std::to_string(cell);
      for (const float energy : showers.energies_of(i))
        line += ' ' + std::to_string(std::bit_cast<std::uint32_t>(energy));
      result.push_back(std::move(line));
    }
    std::sort(result.begin(), result.end());
    return result;
  }

  core::ThreadPool pool_{2};
  test::TempFolder folder_;
};

// 90 degrees, whole GeV and one geometry can be stored in all layouts. Times and empty showers are included.
TEST_F(ConvertShowers, ThereAndBackIsTheSameBetweenAllLayouts) {
  const calo::VoxelMesh mesh = test::small_mesh();
  Showers showers = test::random_showers(mesh, 40, 5);
  for (std::size_t i = 0; i < showers.size(); ++i)
    showers.conditions[i].sim_time_s = i % 7 == 0 ? NAN : 0.25f * static_cast<float>(i);
  showers.append({.incident_energy_mev = 2000, .theta_rad = showers.conditions[0].theta_rad, .sim_time_s = 1},
                 {}, {});
  const auto source = write("source.h5", showers, mesh);
  const std::vector<std::string> expected = lines(source);
  ASSERT_EQ(expected.size(), 41u);
  for (const Layout a : kLayouts)
    for (const Layout b : kLayouts) {
      const std::string name = calo::to_string(a) + "-" + calo::to_string(b);
      const auto first = convert(source, name + "-1.h5", a);
      EXPECT_EQ(calo::ShowerReader::open(first, {}, pool_)->info().layout, a);
      EXPECT_EQ(lines(first), expected) << name;
      const auto second = convert(first, name + "-2.h5", b);
      EXPECT_EQ(lines(second), expected) << name;
      EXPECT_EQ(calo::ShowerReader::open(second, {}, pool_)->info().mesh, mesh);
      EXPECT_EQ(lines(convert(second, name + "-3.h5", a)), expected) << name;
    }
}

TEST_F(ConvertShowers, KeepsAnglesGeometriesAndPhiWhereTheyFit) {
  const calo::VoxelMesh mesh = test::small_mesh();
  Showers showers = test::random_showers(mesh, 40, 6, {"SiW", "SciPb"});
  for (std::size_t i = 0; i < showers.size(); ++i)
    showers.conditions[i].theta_rad = static_cast<float>((i % 3 == 0   ? 50
                                                          : i % 3 == 1 ? 70.5
                                                                       : 90) *
                                                         std::numbers::pi / 180);
  const auto source = write("source.h5", showers, mesh);
  const auto folder = convert(source, "folder", Layout::kMlFastSim);
  EXPECT_TRUE(std::filesystem::exists(folder / "SciPb" / "SciPb_angle_70.5.h5"));
  EXPECT_EQ(lines(folder), lines(source));
  EXPECT_EQ(lines(convert(folder, "back.h5", Layout::kCalopipe)), lines(source));
  // One geometry with any energies, angles and phi.
  for (Conditions& condition : showers.conditions) {
    condition.geometry = 1;
    condition.phi_rad = 0.1f * condition.theta_rad;
    condition.incident_energy_mev *= 1.0123f;
  }
  const auto free = write("free.h5", showers, mesh);
  const auto par04 = convert(free, "par04.h5", Layout::kPar04);
  EXPECT_EQ(lines(par04), lines(free));
  EXPECT_EQ(lines(convert(par04, "free-back.h5", Layout::kCalopipe)), lines(free));
}

TEST_F(ConvertShowers, LayeredMeshesGoBetweenTheFlatLayouts) {
  const auto source = write("source.h5", test::random_showers(layered_mesh(), 20, 7), layered_mesh());
  const auto flat = convert(source, "flat.h5", Layout::kCaloChallenge);
  EXPECT_EQ(lines(flat), lines(source));
  EXPECT_EQ(lines(convert(flat, "back.h5", Layout::kCalopipe)), lines(source));
  EXPECT_EQ(calo::ShowerReader::open(flat, {}, pool_)->info().mesh, layered_mesh());
  for (const Layout layout : {Layout::kPar04, Layout::kMlFastSim})
    expect_refused(source, layout, {"regular meshes", "3 layers, 19 cells", "calochallenge or calopipe"});
}

TEST_F(ConvertShowers, RefusesWhatWouldBeLost) {
  const calo::VoxelMesh mesh = test::small_mesh();
  const Showers plain = test::random_showers(mesh, 6, 8, {"SiW", "SciPb"});
  const auto changed = [&](const char* name, const auto& change, bool one_geometry = true) {
    Showers showers = plain;
    if (one_geometry)
      for (Conditions& condition : showers.conditions) condition.geometry = 0;
    change(showers);
    return write(name, showers, mesh);
  };
  const auto nothing = [](Showers&) {};
  const auto geometries = changed("geometries.h5", nothing, false);
  for (const Layout layout : {Layout::kPar04, Layout::kCaloChallenge, Layout::kMlFastSim})
    expect_refused(geometries, layout, {"one geometry", "SciPb, SiW", "--drop geometry"});
  const auto angle = changed("angle.h5", [](Showers& s) { s.conditions[3].theta_rad = 1.2f; });
  EXPECT_EQ(lines(convert(angle, "angle_calochallenge.h5", Layout::kCaloChallenge)), lines(angle));
  expect_refused(angle, Layout::kMlFastSim, {"4 digits"});
  const auto two_angles =
      changed("two.h5", [](Showers& s) { s.conditions[3].theta_rad = std::numbers::pi_v<float> / 3; });
  expect_refused(two_angles, Layout::kMlFastSim, {"one angle per file, but there are 2"});
  const auto phi = changed("phi.h5", [](Showers& s) { s.conditions[3].phi_rad = 0.5f; });
  expect_refused(phi, Layout::kMlFastSim, {"phi", "0.5 rad", "--drop phi"});
  EXPECT_EQ(lines(convert(phi, "phi_calochallenge.h5", Layout::kCaloChallenge)), lines(phi));
  const auto energy = changed("energy.h5", [](Showers& s) { s.conditions[3].incident_energy_mev = 2000.1f; });
  expect_refused(energy, Layout::kMlFastSim, {"whole GeV", "2.0001 GeV"});
  const auto low = changed("low.h5", [](Showers& s) { s.conditions[3].incident_energy_mev = 256; });
  expect_refused(low, Layout::kMlFastSim, {"whole GeV", "0.256 GeV"});
  // More times than fit into an attribute.
  const calo::VoxelMesh one_cell(calo::VoxelMesh::Cylinder{.n_r = 1, .n_phi = 1, .n_z = 1});
  Showers many(1, {"SiW"});
  for (int i = 0; i < 16'001; ++i)
    many.append({.incident_energy_mev = 1000,
                 .theta_rad = std::numbers::pi_v<float> / 2,
                 .sim_time_s = i == 5 ? 2.0f : NAN},
                {}, {});
  const auto times = write("times.h5", many, one_cell);
  expect_refused(times, Layout::kMlFastSim, {"sim_time_s", "16001 with 1 GeV", "--drop time"});
  EXPECT_EQ(lines(convert(times, "par04.h5", Layout::kPar04)), lines(times));
}

TEST_F(ConvertShowers, LosesWhatMayBeLost) {
  const calo::VoxelMesh mesh = test::small_mesh();
  Showers showers = test::random_showers(mesh, 6, 9, {"SiW", "SciPb"});
  const auto expected = write(
      "expected.h5",
      [&] {
        Showers bare(showers.num_cells(), {"unknown"});
        for (std::size_t i = 0; i < showers.size(); ++i)
          bare.append({.incident_energy_mev = showers.conditions[i].incident_energy_mev,
                       .theta_rad = static_cast<float>(std::numbers::pi / 2)},
                      showers.cells_of(i), showers.energies_of(i));
        return bare;
      }(),
      mesh);
  for (std::size_t i = 0; i < showers.size(); ++i)
    showers.conditions[i] = {.incident_energy_mev = showers.conditions[i].incident_energy_mev,
                             .theta_rad = 0.3f,
                             .phi_rad = 1,
                             .geometry = showers.conditions[i].geometry,
                             .sim_time_s = i == 2 ? 3.0f : NAN};
  const auto source = write("source.h5", showers, mesh);
  using enum calo::Droppable;
  const auto out = convert(source, "out.h5", Layout::kCaloChallenge, {kAngle, kPhi, kGeometry, kTime});
  EXPECT_EQ(lines(out), lines(expected));
}

TEST_F(ConvertShowers, NeverWritesOverWhatItReads) {
  const calo::VoxelMesh mesh = test::small_mesh();
  const Showers showers = test::random_showers(mesh, 6, 8);
  const auto source = write("source.h5", showers, mesh);
  const auto expect_in_the_way = [&](const std::filesystem::path& in, const std::filesystem::path& out,
                                     Layout layout) {
    EXPECT_THROW(convert(in, out, layout), core::UsageError) << out;
    EXPECT_EQ(lines(in).size(), 6u);
  };
  expect_in_the_way(source, "source.h5", Layout::kPar04);
  std::filesystem::create_symlink(source, folder_ / "link.h5");
  expect_in_the_way(source, "link.h5", Layout::kPar04);
  // A parent folder of the file would be replaced.
  std::filesystem::create_directories(folder_ / "root" / "SiW");
  std::filesystem::copy_file(source, folder_ / "root" / "SiW" / "a.h5");
  expect_in_the_way(folder_ / "root" / "SiW" / "a.h5", "root", Layout::kMlFastSim);
  // In the input folder, the output would be read next time.
  expect_in_the_way(folder_ / "root", "root/SiW/b.h5", Layout::kPar04);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "root" / "SiW" / "b.h5"));
  // Other existing outputs are replaced, as in other commands.
  convert(source, "again.h5", Layout::kPar04);
  EXPECT_EQ(lines(convert(source, "again.h5", Layout::kCalopipe)), lines(source));
}

TEST_F(ConvertShowers, KeepsWhatFilesSayOfThemselves) {
  const calo::VoxelMesh mesh = test::small_mesh();
  const auto source =
      write("source.h5", test::random_showers(mesh, 6, 8), mesh,
            {{"particle", std::string("e-")}, {"sampling_fraction", 0.027}, {"peak_memory_bytes", 1e9}});
  const auto file = calo::hdf5::File::open(convert(source, "out.h5", Layout::kPar04));
  EXPECT_EQ(file.text_attribute("particle"), "e-");
  EXPECT_EQ(file.number_attribute("sampling_fraction"), 0.027);
  EXPECT_EQ(file.number_attribute("peak_memory_bytes"), 1e9);
}

TEST_F(ConvertShowers, NamesAndChooses) {
  const calo::VoxelMesh mesh = test::small_mesh();
  const auto source = write("source.h5", test::random_showers(mesh, 30, 8, {"unknown"}), mesh);
  const auto named = convert(source, "named.h5", Layout::kCalopipe, {}, {.geometry = "ODD"});
  EXPECT_EQ(calo::ShowerReader::open(named, {}, pool_)->info().geometries, std::vector<std::string>{"ODD"});
  const auto some = convert(source, "some.h5", Layout::kPar04, {}, {.energies_mev = {2000, 3000}});
  const calo::ReadOptions chosen{.energies_mev = {2000, 3000}};
  EXPECT_EQ(lines(some), lines(source, chosen));
  EXPECT_LT(lines(some).size(), 30u);
}

}  // namespace
