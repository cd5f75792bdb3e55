#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "calo/io/inspect.h"
#include "core/staged_output.h"
#include "support/dense_files.h"
#include "support/temp_folder.h"

namespace {

namespace fs = std::filesystem;

void write_siw(const fs::path& path, std::size_t count, std::uint64_t seed) {
  test::write_columns(path, {test::energy("64", count, seed)});
}

TEST(Folders, OfLinksAreRead) {
  const test::TempFolder folder;
  write_siw(folder / "elsewhere/SiW/SiW_angle_90.h5", 6, 1);
  write_siw(folder / "data/SciPb/SciPb_angle_90.h5", 6, 1);  // equal bytes, other geometry
  fs::create_directory_symlink("../elsewhere/SiW", folder / "data/SiW");
  const calo::DatasetInfo info = test::info_of(folder / "data");
  EXPECT_EQ(info.num_showers, 12);
  EXPECT_EQ(info.geometries, (std::vector<std::string>{"SciPb", "SiW"}));
  EXPECT_NE(test::text_of(info.notes).find("same content as SciPb/SciPb_angle_90.h5"), std::string::npos);
  // All folders are links, including the data folder.
  fs::create_directory(folder / "linked");
  fs::create_directory_symlink("../elsewhere/SiW", folder / "linked/SiW");
  fs::create_directory_symlink("linked", folder / "link");
  EXPECT_EQ(test::info_of(folder / "link").num_showers, 6);
}

TEST(Folders, ThatLeadInACircleAreReadOnce) {
  const test::TempFolder folder;
  write_siw(folder / "data/a/SiW_angle_90.h5", 2, 1);
  fs::create_directory_symlink("..", folder / "data/a/up");
  fs::create_directory_symlink("../..", folder / "data/a/further");
  fs::create_directory_symlink("/", folder / "data/root");
  fs::create_directory_symlink("a", folder / "data/Again");
  const calo::DatasetInfo info = test::info_of(folder / "data");
  EXPECT_EQ(info.num_showers, 2);
  EXPECT_EQ(info.not_read.size(), 4u);
  EXPECT_EQ(info.files, std::vector<fs::path>{folder / "data/a/SiW_angle_90.h5"});
}

TEST(Folders, EndingsAreHdf5InAnyCase) {
  const test::TempFolder folder;
  write_siw(folder / "SiW_angle_70.HDF5", 2, 1);
  write_siw(folder / "SiW_angle_90.h5", 2, 1);
  write_siw(folder / "SiW_angle_80.H5", 2, 2);
  write_siw(folder / "SiW_angle_60.he5", 2, 3);
  EXPECT_EQ(test::info_of(folder.path()).num_showers, 8);
}

TEST(Folders, TellWhatTheyLeaveOut) {
  const test::TempFolder folder;
  write_siw(folder / "SiW_angle_90.h5", 2, 1);
  write_siw(folder / ".ipynb_checkpoints/SiW_angle_90.h5", 2, 1);
  write_siw(folder / "SiW_angle_90.h5.bak", 2, 1);
  write_siw(folder / ".SiW_angle_80.h5", 2, 2);
  core::write_file(folder / "README.md", "what this is");
  core::write_file(folder / "log.txt", "");
  core::ThreadPool pool(1);
  const auto reader = calo::ShowerReader::open(folder.path(), {}, pool);
  EXPECT_EQ(reader->info().num_showers, 2);
  ASSERT_EQ(reader->info().not_read.size(), 3u);
  EXPECT_EQ(reader->info().other_files.size(), 2u);
  const calo::DatasetReport report = calo::inspect(*reader);
  for (const char* name : {".ipynb_checkpoints", "SiW_angle_90.h5.bak", ".SiW_angle_80.h5", "README.md"})
    EXPECT_NE(report.to_text().find(name), std::string::npos) << name;
  EXPECT_EQ(report.to_text().find("\nnothing odd\n"), std::string::npos);
  EXPECT_EQ(report.to_json()["not_read"].size(), 3u);
}

TEST(Folders, CopiesAreRefused) {
  const test::TempFolder folder;
  write_siw(folder / "SiW/SiW_angle_90.h5", 6, 1);
  fs::create_directory(folder / "SiW/old");
  fs::copy_file(folder / "SiW/SiW_angle_90.h5", folder / "SiW/old/SiW_angle_90.h5");
  const std::string message = test::refusal(folder.path());
  EXPECT_NE(message.find("SiW/old/SiW_angle_90.h5"), std::string::npos) << message;
  EXPECT_NE(message.find("is a copy of SiW/SiW_angle_90.h5"), std::string::npos) << message;
  core::ThreadPool pool(1);
  const calo::DatasetReport report =
      calo::inspect(*calo::ShowerReader::open(folder.path(), {.tolerant = true}, pool));
  EXPECT_EQ(report.repeated_showers, 6);
  EXPECT_NE(report.to_text().find("is a copy of"), std::string::npos);
  // A repeated download.
  fs::rename(folder / "SiW/old/SiW_angle_90.h5", folder / "SiW/SiW_angle_90 (1).h5");
  EXPECT_NE(test::refusal(folder.path()).find("is a copy of"), std::string::npos);
}

TEST(Folders, LinksToFilesAreReadOnce) {
  const test::TempFolder folder;
  write_siw(folder / "SiW_angle_90.h5", 2, 1);
  fs::create_symlink("SiW_angle_90.h5", folder / "A_latest.h5");
  fs::create_directory(folder / "hard");
  fs::create_hard_link(folder / "SiW_angle_90.h5", folder / "hard/SiW_angle_90.h5");
  const calo::DatasetInfo info = test::info_of(folder.path());
  EXPECT_EQ(info.num_showers, 2);
  EXPECT_EQ(info.not_read.size(), 2u);
}

// A file beside its parts, with the same showers in other bytes, is recognised only by the showers.
TEST(Folders, ShowersThatAreThereTwiceAreCounted) {
  const test::TempFolder folder;
  const std::vector<float> all = test::flat_showers(4, 1);
  test::write_calochallenge(folder / "all.h5", all);
  test::write_calochallenge(folder / "part_1.h5", {all.begin(), all.begin() + 2 * 6480});
  test::write_calochallenge(folder / "part_2.h5", {all.begin() + 2 * 6480, all.end()});
  core::ThreadPool pool(1);
  const calo::DatasetReport report = calo::inspect(*calo::ShowerReader::open(folder.path(), {}, pool));
  EXPECT_EQ(report.repeated_showers, 4);
  EXPECT_NE(report.to_text().find("shower 0 of part_1.h5 equals shower 0 of all.h5"), std::string::npos)
      << report.to_text();
}

TEST(Folders, LinksThatLeadNowhereAreNamed) {
  const test::TempFolder folder;
  write_siw(folder / "SiW_angle_90.h5", 2, 1);
  fs::create_directory_symlink("gone", folder / "SciPb");
  EXPECT_NE(test::refusal(folder.path()).find("SciPb: is a broken link"), std::string::npos);
  fs::remove(folder / "SciPb");
  fs::create_symlink("SiW_angle_80.h5", folder / "SiW_angle_80.h5");  // to itself
  EXPECT_NE(test::refusal(folder.path()).find("is a broken link"), std::string::npos);
}

// Switches to another user during its lifetime if the tests run as root, whom no permission stops.
class AsNobody {
 public:
  AsNobody() : changed_(geteuid() == 0 && seteuid(65534) == 0) {}
  ~AsNobody() {
    if (changed_ && seteuid(0) != 0) std::abort();
  }

 private:
  bool changed_;
};

TEST(Folders, ThatCannotBeReadAreNamed) {
  const test::TempFolder folder;
  write_siw(folder / "SiW/SiW_angle_90.h5", 2, 1);
  write_siw(folder / "SciPb/SciPb_angle_90.h5", 2, 2);
  chmod(folder.path().c_str(), 0755);
  chmod((folder / "SciPb").c_str(), 0);
  {
    const AsNobody nobody;
    if (access("/root", R_OK) == 0 && geteuid() == 0) GTEST_SKIP() << "nobody can be another user here";
    const std::string message = test::refusal(folder.path());
    EXPECT_NE(message.find("SciPb: cannot be listed"), std::string::npos) << message;
  }
  chmod((folder / "SciPb").c_str(), 0755);
  chmod((folder / "SciPb/SciPb_angle_90.h5").c_str(), 0);
  const AsNobody nobody;
  const std::string message = test::refusal(folder.path());
  EXPECT_NE(message.find("SciPb_angle_90.h5"), std::string::npos) << message;
}

// The CaloChallenge publishes data set 2 in two files.
TEST(Folders, OfPartsAreOneDataSet) {
  const test::TempFolder folder;
  const std::vector<float> all = test::flat_showers(6, 1);
  test::write_calochallenge(folder / "one.h5", all);
  test::write_calochallenge(folder / "parts/dataset_2_1.hdf5", {all.begin(), all.begin() + 3 * 6480});
  test::write_calochallenge(folder / "parts/dataset_2_2.hdf5", {all.begin() + 3 * 6480, all.end()});
  EXPECT_TRUE(test::same_showers(test::read(folder / "parts"), test::read(folder / "one.h5")));
  const calo::DatasetInfo info = test::info_of(folder / "parts");
  EXPECT_EQ(info.geometries, std::vector<std::string>{"unknown"});
  EXPECT_EQ(info.first_shower, (std::vector<std::int64_t>{0, 3}));
  EXPECT_EQ(test::info_of(folder / "parts", {.geometry = "SiW"}).geometries, std::vector<std::string>{"SiW"});
  // Geant4's converter makes several files for one angle.
  write_siw(folder / "g4/SiW_Angle_90_3showers_0.h5", 3, 1);
  write_siw(folder / "g4/SiW_Angle_90_3showers_1.h5", 3, 2);
  EXPECT_EQ(test::info_of(folder / "g4").num_showers, 6);
  EXPECT_EQ(test::info_of(folder / "g4").geometries, std::vector<std::string>{"SiW"});
}

TEST(Folders, OfSeveralLayoutsOrMeshesAreRefused) {
  const test::TempFolder folder;
  test::write_calochallenge(folder / "a.h5", test::flat_showers(2, 1));
  write_siw(folder / "SiW_angle_90.h5", 2, 2);
  std::string message = test::refusal(folder.path());
  EXPECT_NE(message.find("a.h5"), std::string::npos) << message;
  EXPECT_NE(message.find("SiW_angle_90.h5"), std::string::npos) << message;
  // The same number of cells, in another mesh.
  test::write_columns(folder / "m/SiW_angle_80.h5", {{"64", std::vector<float>(240, 1.0f), {2, 4, 6, 5}}});
  test::write_columns(folder / "m/SiW_angle_90.h5", {{"64", std::vector<float>(240, 1.0f), {2, 6, 4, 5}}});
  message = test::refusal(folder / "m");
  EXPECT_NE(message.find("SiW_angle_80.h5"), std::string::npos) << message;
  EXPECT_NE(message.find("SiW_angle_90.h5"), std::string::npos) << message;
}

// More files than a process may open without raising its limit.
TEST(Folders, OfManyPartsAreRead) {
  const test::TempFolder folder;
  const hsize_t one = 1;
  for (int i = 0; i < 1100; ++i)
    test::write_columns(folder / ("part_" + std::to_string(i) + ".h5"),
                        {{"incident_energy", {1000.0f + static_cast<float>(i)}, {one}},
                         {"showers", std::vector<float>(120, 8.0f), {one, 4, 6, 5}}});
  EXPECT_EQ(test::info_of(folder.path()).num_showers, 1100);
}

}  // namespace
