#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>
#include <numbers>

#include "calo/io/inspect.h"
#include "calo/io/shower_writer.h"
#include "calo/preprocess/preprocess.h"
#include "core/staged_output.h"
#include "support/dense_files.h"
#include "support/random_showers.h"
#include "support/temp_folder.h"

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Writes a file in Par04's layout, with 3 GeV in the cells of each shower.
void write_par04(const std::filesystem::path& path, std::vector<float> energies,
                 std::vector<test::Column> more = {}, float scale = 1) {
  std::vector<float> cells = test::transposed(test::flat_showers(energies.size(), 1), test::kToRPhiZ);
  for (float& cell : cells) cell *= scale;
  const hsize_t count = energies.size();
  more.push_back({"incident_energy", std::move(energies), {count}});
  more.push_back({"showers", std::move(cells), {count, 9, 16, 45}});
  test::write_columns(path, more);
}

calo::DatasetReport looked_at(const std::filesystem::path& path) {
  core::ThreadPool pool(1);
  return calo::inspect(*calo::ShowerReader::open(path, {.tolerant = true}, pool));
}

calo::PreprocessReport prepared(const std::filesystem::path& path, const std::filesystem::path& out,
                                calo::PreprocessOptions options = {}) {
  core::ThreadPool pool(1);
  std::filesystem::create_directories(out);
  options.one_hot_order = {"unknown"};
  return calo::preprocess(*calo::ShowerReader::open(path, {}, pool), options, out, pool);
}

TEST(Conditions, ThetaThatIsNoAngleInRadiansIsRefused) {
  const test::TempFolder folder;
  const auto path = folder / "par04.h5";
  for (const float theta : {90.0f, -0.5f, 3.2f, kNan}) {
    write_par04(path, {3000, 3000}, {{"incident_theta", {1, theta}, {2}}});
    EXPECT_NE(test::refusal(path).find("incident_theta: is " + fmt::format("{}", theta)), std::string::npos)
        << test::refusal(path);
    EXPECT_NE(looked_at(path).to_text().find("not an angle in radians"), std::string::npos);
  }
  write_par04(path, {3000, 3000}, {{"incident_theta", {0, static_cast<float>(std::numbers::pi)}, {2}}});
  EXPECT_EQ(test::refusal(path), "");
}

TEST(Conditions, PhiThatIsNoAngleInRadiansIsNoted) {
  const test::TempFolder folder;
  write_par04(folder / "par04.h5", {3000}, {{"incident_phi", {180}, {1}}});
  EXPECT_NE(test::text_of(test::info_of(folder / "par04.h5").notes).find("incident_phi: is 180"),
            std::string::npos);
}

TEST(Conditions, ColumnsHaveOneNumberAShower) {
  const test::TempFolder folder;
  const std::vector<float> cells = test::flat_showers(4, 1);
  const auto refused = [&](std::vector<float> energies, const std::vector<hsize_t>& shape) {
    test::write_columns(folder / "cc.h5",
                        {{"incident_energies", std::move(energies), shape}, {"showers", cells, {4, 6480}}});
    return test::refusal(folder / "cc.h5") != "";
  };
  const std::vector<float> four(4, 3000.0f), eight(8, 3000.0f), three(3, 3000.0f);
  EXPECT_FALSE(refused(four, {4}));
  EXPECT_FALSE(refused(four, {4, 1}));
  EXPECT_TRUE(refused(eight, {4, 2}));
  EXPECT_TRUE(refused(four, {2, 2}));
  EXPECT_TRUE(refused(four, {1, 4}));
  EXPECT_TRUE(refused(three, {3}));
}

TEST(Conditions, EnergiesInGevAreRefusedByPreprocess) {
  const test::TempFolder folder;
  write_par04(folder / "gev.h5", {3, 3, 3});
  EXPECT_NE(looked_at(folder / "gev.h5").to_text().find("seem to be in GeV"), std::string::npos);
  EXPECT_THROW(prepared(folder / "gev.h5", folder / "out"), core::InputError);
  EXPECT_FALSE(std::filesystem::exists(folder / "out/train.h5"));
  // One part of two.
  std::filesystem::create_directory(folder / "parts");
  write_par04(folder / "parts/a.h5", {3000, 3000, 3000, 3000});
  write_par04(folder / "parts/b.h5", {3});
  EXPECT_THROW(prepared(folder / "parts", folder / "out"), core::InputError);
  // Cells in GeV, and both.
  write_par04(folder / "cells.h5", {3000, 3000}, {}, 1e-3f);
  EXPECT_NE(looked_at(folder / "cells.h5").to_text().find("cells seem to be in GeV"), std::string::npos);
  EXPECT_NE(
      test::text_of(prepared(folder / "cells.h5", folder / "out").notes).find("cells seem to be in GeV"),
      std::string::npos);
  write_par04(folder / "both.h5", {3, 3}, {}, 1e-3f);
  EXPECT_NE(looked_at(folder / "both.h5").to_text().find("is it in GeV?"), std::string::npos);
  // A sampling fraction that was not divided out is not a mistake.
  write_par04(folder / "uncalibrated.h5", {3000, 3000}, {}, 0.03f);
  EXPECT_NE(looked_at(folder / "uncalibrated.h5").to_text().find("nothing odd"), std::string::npos);
}

TEST(Conditions, EnergiesThatAreNoneCountAsBad) {
  const test::TempFolder folder;
  for (const float energy : {0.0f, -5.0f, kNan, std::numeric_limits<float>::infinity()}) {
    write_par04(folder / "par04.h5", {energy, 3000, 3000});
    EXPECT_EQ(looked_at(folder / "par04.h5").bad_energies, 1);
    EXPECT_THROW(prepared(folder / "par04.h5", folder / "out", {.max_bad_fraction = 0}), core::InputError);
    const calo::PreprocessReport report = prepared(folder / "par04.h5", folder / "out");
    EXPECT_EQ(report.training_showers, 2);
    EXPECT_EQ(report.bad_energies, 1);
    EXPECT_NE(report.to_markdown().find("1 incident energies are not positive numbers"), std::string::npos);
  }
}

// The report names what was not read, with names that do not depend on the location of the data.
TEST(Conditions, TheReportOfPreprocessNamesWhatWasNotRead) {
  const test::TempFolder folder;
  std::vector<std::string> reports;
  for (const char* place : {"here", "there"}) {
    const auto data = folder / place;
    std::filesystem::create_directory(data);
    write_par04(data / "a.h5", {3000, 3000}, {{"showers_2", {1, 2}, {2}}});
    write_par04(data / ".b.h5", {3000});
    core::write_file(data / "README.md", "");
    prepared(data, folder / "out");
    reports.push_back(core::read_file(folder / "out" / "report.md"));
    const auto report = nlohmann::json::parse(core::read_file(folder / "out" / "report.json"));
    EXPECT_EQ(report["not_read"].size(), 2u);
    EXPECT_EQ(report["other_files"], nlohmann::json::array({"README.md"}));
  }
  EXPECT_EQ(reports[0], reports[1]);
  EXPECT_NE(reports[0].find("- a.h5: showers_2: is a dataset of 2"), std::string::npos) << reports[0];
  EXPECT_NE(reports[0].find("- .b.h5: is hidden"), std::string::npos) << reports[0];
}

// The layout calochallenge keeps angles if they are not the default ones.
TEST(Conditions, AnglesSurviveTheLayoutCaloChallenge) {
  const test::TempFolder folder;
  core::ThreadPool pool(1);
  const calo::VoxelMesh mesh = test::small_mesh();
  calo::Showers showers = test::random_showers(mesh, 3, 1);
  const auto written = [&] {
    const auto writer = calo::ShowerWriter::create(
        folder / "cc.h5", {.layout = calo::Layout::kCaloChallenge, .mesh = mesh}, pool);
    writer->append(showers);
    writer->commit();
    return calo::hdf5::File::open(folder / "cc.h5");
  };
  EXPECT_FALSE(written().has("incident_theta"));
  showers.conditions[1].theta_rad = 1;
  showers.conditions[2].phi_rad = 0.5f;
  EXPECT_TRUE(written().has("incident_theta"));
  const calo::Showers read = test::read(folder / "cc.h5", {.mesh = mesh});
  EXPECT_EQ(read.conditions[1].theta_rad, 1);
  EXPECT_EQ(read.conditions[2].phi_rad, 0.5f);
}

}  // namespace
