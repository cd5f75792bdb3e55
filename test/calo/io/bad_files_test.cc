#include <gtest/gtest.h>

#include <fstream>

#include "calo/io/hdf5.h"
#include "calo/io/shower_reader.h"
#include "calo/io/shower_writer.h"
#include "core/error.h"
#include "core/staged_output.h"
#include "support/random_showers.h"
#include "support/temp_folder.h"

namespace {

constexpr auto kSample = "data/mlfastsim/SiW/SiW_angle_90.h5";

void expect_refused(const std::filesystem::path& path) {
  core::ThreadPool pool(1);
  try {
    const auto reader = calo::ShowerReader::open(path, {}, pool);
    calo::read_all(*reader);
    ADD_FAILURE() << path << " was read";
  } catch (const core::InputError& error) {
    EXPECT_FALSE(error.details().file.empty()) << error.what();
  }
}

TEST(BadFiles, ThatAreNoHdf5) {
  const test::TempFolder folder;
  core::write_file(folder / "text.h5", "no showers here");
  core::write_file(folder / "empty.h5", "");
  expect_refused(folder / "text.h5");
  expect_refused(folder / "empty.h5");
  expect_refused(folder / "missing.h5");
  expect_refused(folder.path() / "");  // a folder without valid files
}

TEST(BadFiles, ThatAreTruncated) {
  const test::TempFolder folder;
  const std::string whole = core::read_file(kSample);
  for (const double part : {0.001, 0.1, 0.5, 0.9, 0.9999}) {
    core::write_file(folder / "SiW_angle_90.h5",
                     whole.substr(0, static_cast<std::size_t>(part * static_cast<double>(whole.size()))));
    expect_refused(folder / "SiW_angle_90.h5");
  }
}

TEST(BadFiles, WithDamagedChunks) {
  const test::TempFolder folder;
  std::string bytes = core::read_file(kSample);
  // Far after the file's head, in the middle of compressed cells.
  for (std::size_t i = bytes.size() / 2; i < bytes.size() / 2 + 2000; ++i)
    bytes[i] = static_cast<char>(~bytes[i]);
  core::write_file(folder / "SiW_angle_90.h5", bytes);
  expect_refused(folder / "SiW_angle_90.h5");
}

TEST(BadFiles, WithMissingEmptyOrMisfitDatasets) {
  const test::TempFolder folder;
  const auto file = [&](const char* name, const auto& fill) {
    calo::hdf5::File hdf = calo::hdf5::File::create(folder / name);
    fill(hdf);
    hdf.close();
    expect_refused(folder / name);
  };
  const std::vector<float> zeros(240, 0.0f);
  file("nothing.h5", [](auto&) {});
  file("no_energy.h5", [&](auto& hdf) { hdf.write("showers", zeros, {2, 120}); });
  file("lengths.h5", [&](auto& hdf) {
    hdf.write("showers", zeros, {2, 4, 6, 5});
    hdf.write("incident_energy", std::span(zeros).first(3), {3});
  });
  file("flat.h5", [&](auto& hdf) {
    hdf.write("showers", zeros, {240});
    hdf.write("incident_energy", std::span(zeros).first(2), {2});
  });
  file("unknown_mesh.h5", [&](auto& hdf) {
    hdf.write("showers", zeros, {2, 120});
    hdf.write("incident_energies", std::span(zeros).first(2), {2, 1});
  });
  file("no_showers.h5", [&](auto& hdf) {
    hdf.write("showers", {}, {0, 4, 6, 5});
    hdf.write("incident_energy", {}, {0});
  });
  file("no_angle.h5", [&](auto& hdf) { hdf.write("64", zeros, {2, 4, 6, 5}); });
}

TEST(BadFiles, ThatDeclareMoreThanTheyStore) {
  const test::TempFolder folder;
  calo::hdf5::File hdf = calo::hdf5::File::create(folder / "bomb.h5");
  const hsize_t shape[2] = {1ull << 33, 40500}, chunk[2] = {1, 40500};
  const calo::hdf5::Handle space(H5Screate_simple(2, shape, nullptr), H5Sclose);
  const calo::hdf5::Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_chunk(properties, 2, chunk);
  calo::hdf5::Handle(
      H5Dcreate2(hdf.id(), "showers", H5T_IEEE_F32LE, space, H5P_DEFAULT, properties, H5P_DEFAULT), H5Dclose);
  hdf.write("incident_energies", std::vector<float>{1000}, {1, 1});
  hdf.close();
  expect_refused(folder / "bomb.h5");
}

TEST(BadOutput, InAPlaceThatCannotBeWrittenIsUnavailable) {
  core::ThreadPool pool(1);
  EXPECT_THROW(calo::ShowerWriter::create("/proc/nothing/out.h5", {.mesh = test::small_mesh()}, pool),
               core::UnavailableError);
}

}  // namespace
