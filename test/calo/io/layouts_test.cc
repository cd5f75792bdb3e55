#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>

#include "calo/io/hdf5.h"
#include "calo/io/inspect.h"
#include "calo/io/layouts/shower_layout.h"
#include "calo/io/shower_reader.h"
#include "calo/io/shower_writer.h"
#include "core/error.h"
#include "core/hash.h"
#include "support/random_showers.h"
#include "support/temp_folder.h"

namespace {

using calo::Layout;
using calo::Showers;

void write(const std::filesystem::path& path, const Showers& showers, const calo::WriteOptions& options,
           core::ThreadPool& pool, std::size_t piece = 7) {
  const auto writer = calo::ShowerWriter::create(path, options, pool);
  for (std::size_t begin = 0; begin < showers.size(); begin += piece) {
    Showers part(showers.num_cells(), showers.geometries);
    part.append(showers, begin, std::min(showers.size(), begin + piece));
    writer->append(part);
  }
  writer->commit();
}

void expect_equal(const Showers& a, const Showers& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a.conditions[i].incident_energy_mev, b.conditions[i].incident_energy_mev);
    EXPECT_NEAR(a.conditions[i].theta_rad, b.conditions[i].theta_rad, 1e-6);
    EXPECT_EQ(a.geometries[a.conditions[i].geometry], b.geometries[b.conditions[i].geometry]);
    const auto ca = a.cells_of(i), cb = b.cells_of(i);
    ASSERT_TRUE(std::equal(ca.begin(), ca.end(), cb.begin(), cb.end())) << "shower " << i;
    const auto ea = a.energies_of(i), eb = b.energies_of(i);
    ASSERT_TRUE(std::equal(ea.begin(), ea.end(), eb.begin(), eb.end())) << "shower " << i;
  }
}

// Layouts of the table, so that a new one is tested automatically.
std::vector<Layout> all_layouts() {
  std::vector<Layout> layouts;
  for (const calo::layouts::ShowerLayout& row : calo::layouts::table()) layouts.push_back(row.layout);
  return layouts;
}

class LayoutTest : public testing::TestWithParam<Layout> {};

TEST_P(LayoutTest, WhatIsWrittenIsRead) {
  const test::TempFolder folder;
  core::ThreadPool pool(3);
  const calo::VoxelMesh mesh = test::small_mesh();
  Showers showers = test::random_showers(mesh, 50, 1);
  if (GetParam() == Layout::kMlFastSim)  // its files are read by energy
    std::stable_sort(showers.conditions.begin(), showers.conditions.end(), [](const auto& a, const auto& b) {
      return a.incident_energy_mev < b.incident_energy_mev;
    });
  const auto path = GetParam() == Layout::kMlFastSim ? folder / "root" : folder / "showers.h5";
  write(path, showers, {.layout = GetParam(), .mesh = mesh, .geometries = {"SiW"}, .showers_per_chunk = 4},
        pool);
  const auto reader = calo::ShowerReader::open(path, {.mesh = mesh}, pool);
  EXPECT_EQ(reader->info().layout, GetParam());
  EXPECT_EQ(reader->info().mesh, mesh);
  expect_equal(showers, calo::read_all(*reader));
  // In pieces and out of order.
  const Showers tail = reader->read(33, 100);
  ASSERT_EQ(tail.size(), 17u);
  const Showers middle = reader->read(9, 5);
  Showers expected(mesh.num_cells(), showers.geometries);
  expected.append(showers, 9, 14);
  expect_equal(expected, middle);
}

TEST_P(LayoutTest, TheSameShowersGiveTheSameBytes) {
  const test::TempFolder folder;
  const calo::VoxelMesh mesh = test::small_mesh();
  const Showers showers = test::random_showers(mesh, 30, 2);
  std::vector<std::string> hashes;
  for (const int threads : {1, 3}) {
    core::ThreadPool pool(threads);
    const auto path = folder / ("out" + std::to_string(threads));
    write(path, showers, {.layout = GetParam(), .mesh = mesh, .geometries = {"SiW"}}, pool,
          std::size_t{5} * static_cast<std::size_t>(threads));
    hashes.push_back(core::sha256_of_path(path));
  }
  EXPECT_EQ(hashes[0], hashes[1]);
}

INSTANTIATE_TEST_SUITE_P(All, LayoutTest, testing::ValuesIn(all_layouts()),
                         [](const auto& test) { return calo::to_string(test.param); });

// The table has all names that a user can give.
TEST(Layouts, HaveARowForEachName) {
  std::set<std::string> names, rows;
  for (const std::string& name : calo::layout_names()) names.insert(name);
  for (const Layout layout : all_layouts()) rows.insert(calo::to_string(layout));
  EXPECT_EQ(rows, names);
}

TEST(Layouts, RefuseWhatTheyCannotHold) {
  const test::TempFolder folder;
  core::ThreadPool pool(1);
  const calo::VoxelMesh mesh = test::small_mesh();
  Showers showers = test::random_showers(mesh, 4, 3, {"SiW", "SciPb"});
  EXPECT_THROW(write(folder / "a.h5", showers, {.layout = Layout::kPar04, .mesh = mesh}, pool),
               core::UsageError);
  EXPECT_THROW(write(folder / "b.h5", showers, {.layout = Layout::kMlFastSim, .mesh = mesh}, pool),
               core::UsageError);
  showers = test::random_showers(mesh, 4, 3);
  showers.conditions[2].incident_energy_mev = 1500;
  EXPECT_THROW(write(folder / "c", showers, {.layout = Layout::kMlFastSim, .mesh = mesh}, pool),
               core::UsageError);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Layouts, FiltersChooseShowers) {
  core::ThreadPool pool(2);
  const auto reader = calo::ShowerReader::open("data/mlfastsim", {.energies_mev = {2000, 64000}}, pool);
  EXPECT_EQ(reader->info().num_showers, 420 + 70);
  EXPECT_THROW(calo::ShowerReader::open("data/mlfastsim", {.energies_mev = {3000}}, pool), core::UsageError);
  EXPECT_THROW(calo::ShowerReader::open("data/mlfastsim", {.angles_deg = {50}}, pool), core::UsageError);
}

TEST(Inspect, TellsWhatIsInTheSample) {
  core::ThreadPool pool(2);
  const auto reader = calo::ShowerReader::open("data/mlfastsim", {}, pool);
  const calo::DatasetReport report = calo::inspect(*reader);
  EXPECT_EQ(report.info.mesh, calo::named_mesh("SiW"));
  ASSERT_EQ(report.groups.size(), 7u);
  for (const auto& group : report.groups) EXPECT_NEAR(group.response, 1.01, 0.02);
  EXPECT_LT(report.filled_fraction, 0.03);
  EXPECT_EQ(report.nan_cells + report.negative_cells + report.empty_showers + report.bad_energies, 0);
  EXPECT_EQ(report.too_much_energy, 1);  // a shower of 1 GeV
  EXPECT_NE(report.to_text().find("1 showers have more than 1.5 times"), std::string::npos);
}

// The independent peer: h5py and numpy.
bool run_python(const std::string& code, const std::filesystem::path& folder) {
  const char* python = std::getenv("CALOPIPE_PYTHON");
  std::ofstream(folder / "peer.py") << code;
  return std::system(("cd '" + folder.string() + "' && '" + python + "' peer.py").c_str()) == 0;
}

TEST(Layouts, H5pyReadsWhatWeWrite) {
  if (std::getenv("CALOPIPE_PYTHON") == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  const test::TempFolder folder;
  core::ThreadPool pool(2);
  const calo::VoxelMesh mesh = test::small_mesh();
  const Showers showers = test::random_showers(mesh, 23, 4);
  write(folder / "par04.h5", showers, {.layout = Layout::kPar04, .mesh = mesh, .showers_per_chunk = 5}, pool);
  write(folder / "cc.h5", showers, {.layout = Layout::kCaloChallenge, .mesh = mesh, .showers_per_chunk = 5},
        pool);
  EXPECT_TRUE(run_python(R"(
import h5py, numpy as np
a, b = h5py.File('par04.h5'), h5py.File('cc.h5')
cube = a['showers'][:]
assert cube.shape == (23, 4, 6, 5) and cube.dtype == np.float32 and a['showers'].compression == 'gzip'
assert a['incident_energy'].shape == (23,) and b['incident_energies'].shape == (23, 1)
assert (a['incident_energy'][:] == b['incident_energies'][:, 0]).all()
# CaloChallenge: (layer, alpha, r) with r fastest; ours [r, phi, z].
flat = b['showers'][:].reshape(23, 5, 6, 4).transpose(0, 3, 2, 1)
assert (flat == cube).all() and cube.sum() > 0
)",
                         folder.path()));
}

TEST(Layouts, WeReadWhatH5pyWrites) {
  if (std::getenv("CALOPIPE_PYTHON") == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  const test::TempFolder folder;
  core::ThreadPool pool(2);
  ASSERT_TRUE(run_python(R"(
import h5py, numpy as np
cube = np.zeros((37, 4, 6, 5), np.float32)
n = np.arange(37)
cube[n, n % 4, n % 6, n % 5] = n + 0.5
kinds = {'plain': {}, 'gzip1': dict(compression='gzip', compression_opts=1, chunks=(5, 4, 6, 5)),
         'shuffle9': dict(compression='gzip', compression_opts=9, shuffle=True, chunks=(8, 4, 6, 5)),
         'split': dict(compression='gzip', shuffle=True, chunks=(4, 3, 4, 2)),
         'fletcher': dict(fletcher32=True, chunks=(8, 4, 6, 5)),
         'double': dict(dtype=np.float64, compression='gzip'), 'big': dict(dtype='>f4', compression='gzip'),
         'chunked': dict(chunks=(3, 4, 6, 5))}
for name, options in kinds.items():
    with h5py.File(name + '.h5', 'w') as f:
        f['incident_energy'] = np.full(37, 1000.0)
        f.create_dataset('showers', data=cube, **{'dtype': np.float32, **options})
)",
                         folder.path()));
  for (const char* name : {"plain", "gzip1", "shuffle9", "split", "fletcher", "double", "big", "chunked"}) {
    const auto reader = calo::ShowerReader::open(folder / (std::string(name) + ".h5"), {}, pool);
    const Showers showers = calo::read_all(*reader);
    ASSERT_EQ(showers.size(), 37u) << name;
    for (int i = 0; i < 37; ++i) {
      ASSERT_EQ(showers.cells_of(static_cast<std::size_t>(i)).size(), 1u) << name << " " << i;
      EXPECT_EQ(showers.cells_of(static_cast<std::size_t>(i))[0],
                reader->info().mesh.cell(i % 5, i % 6, i % 4));
      EXPECT_EQ(showers.energies_of(static_cast<std::size_t>(i))[0], static_cast<float>(i) + 0.5f);
    }
  }
}

// Simulation times of a full simulation, and other attributes of its files.
TEST(ShowerWriter, KeepsTimesAndAttributes) {
  const test::TempFolder folder;
  core::ThreadPool pool(2);
  const calo::VoxelMesh mesh = test::small_mesh();
  Showers showers(mesh.num_cells(), {"SiW"});
  const Showers random = test::random_showers(mesh, 6, 3);
  for (std::size_t i = 0; i < 6; ++i) showers.append(random, i, i + 1);
  for (calo::Conditions& condition : showers.conditions) condition.incident_energy_mev = 2000;
  const std::vector<float> seconds = {0.5f, 1, 1.5f, 2, 2.5f, 3};
  for (const Layout layout :
       {Layout::kMlFastSim, Layout::kPar04, Layout::kCaloChallenge, Layout::kCalopipe}) {
    const auto path = folder / (to_string(layout) + ".h5");
    const auto writer = calo::ShowerWriter::create(
        path,
        {.layout = layout,
         .mesh = mesh,
         .geometries = {"SiW"},
         .attributes = {{"particle", std::string("e-")}, {"sampling_fraction", 0.027}}},
        pool);
    for (std::size_t i = 0; i < seconds.size(); ++i) showers.conditions[i].sim_time_s = seconds[i];
    writer->append(showers);
    writer->commit();
    const auto file = calo::hdf5::File::open(path);
    EXPECT_EQ(file.text_attribute("particle"), "e-");
    EXPECT_EQ(file.number_attribute("sampling_fraction"), 0.027);
    expect_equal(calo::read_all(*calo::ShowerReader::open(path, {.mesh = mesh}, pool)), showers);
    EXPECT_EQ(calo::mean_sim_time_s(calo::ShowerReader::open(path, {.mesh = mesh}, pool)->conditions()),
              1.75);
    if (layout != Layout::kMlFastSim) {
      EXPECT_EQ(file.read_floats("sim_time_s"), seconds);
      continue;
    }
    const auto dataset = file.dataset("2");
    const calo::hdf5::Handle attribute(H5Aopen(dataset, "sim_time_s", H5P_DEFAULT), H5Aclose);
    ASSERT_TRUE(attribute.valid());
    std::vector<float> read(6);
    H5Aread(attribute, H5T_NATIVE_FLOAT, read.data());
    EXPECT_EQ(read, seconds);
  }
}

}  // namespace
