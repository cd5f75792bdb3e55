// HDF5 files of other programs: attributes of any type, cells that were never written, virtual datasets,
// filters, links, newer formats. If h5py is available, it writes them and reports their contents.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "calo/io/hdf5.h"
#include "calo/io/inspect.h"
#include "calo/io/shower_reader.h"
#include "core/error.h"
#include "core/staged_output.h"
#include "support/python_peer.h"
#include "support/temp_folder.h"

namespace {

namespace fs = std::filesystem;
using calo::hdf5::File;
using calo::hdf5::Handle;
using testing::AllOf;
using testing::HasSubstr;

constexpr std::size_t kCells = 4 * 6 * 5;

// Creates a file for four showers of 4 x 6 x 5 cells, without `showers`.
File par04(const fs::path& path) {
  File file = File::create(path);
  file.write("incident_energy", std::vector<float>(4, 1000.0f), {4});
  return file;
}

std::string refusal(const fs::path& path) {
  core::ThreadPool pool(1);
  try {
    calo::read_all(*calo::ShowerReader::open(path, {}, pool));
  } catch (const core::InputError& error) {
    return error.what();
  }
  return "";
}

calo::DatasetReport report(const fs::path& path) {
  core::ThreadPool pool(2);
  return calo::inspect(*calo::ShowerReader::open(path, {}, pool));
}

class PeerTest : public testing::Test {
 protected:
  void SetUp() override {
    if (test::python() == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  }
  // Runs a script in the folder, with the showers `cells` [6, 4, 6, 5] and base(name), which creates a file
  // without them.
  void peer(const std::string& script) const {
    const std::string head = fmt::format(R"(
import os, h5py, numpy as np
os.chdir('{}')
random = np.random.default_rng(1)
cells = np.where(random.random((6, 4, 6, 5)) < 0.3, random.random((6, 4, 6, 5)) * 100, 0).astype('f4')
def base(name):
    f = h5py.File(name, 'w')
    f['incident_energy'] = np.full(6, 1000, 'f4')
    return f
# What is read of a file, by h5py.
def say(name):
    with h5py.File(name) as f, open(name + '.txt', 'w') as out:
        for value in f['showers'][:].astype('f4').ravel(): print(repr(float(value)), file=out)
)",
                                         folder_.path().string());
    ASSERT_EQ(test::run_python(folder_.path(), head + script), 0);
  }
  // Checks that every cell of a file has h5py's value.
  void expect_as_h5py(const std::string& name) const {
    SCOPED_TRACE(name);
    core::ThreadPool pool(2);
    const calo::Showers showers = calo::read_all(*calo::ShowerReader::open(folder_ / name, {}, pool));
    std::istringstream said(core::read_file(folder_ / (name + ".txt")));
    std::string text;
    for (std::size_t i = 0; i < showers.size(); ++i) {
      std::vector<float> dense(kCells, 0.0f);
      showers.to_dense(i, dense);
      for (const float value : dense) {
        ASSERT_TRUE(said >> text);
        const float expected = std::stof(text);
        ASSERT_TRUE(value == expected || (std::isnan(value) && std::isnan(expected))) << value << " " << text;
      }
    }
    EXPECT_FALSE(said >> text);
  }
  test::TempFolder folder_;
};

// --- attributes ---

void add_texts(const File& file, const char* name, const std::vector<const char*>& texts, bool fixed) {
  const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, fixed ? 8 : H5T_VARIABLE);
  const hsize_t count = texts.size();
  const Handle space(H5Screate_simple(1, &count, nullptr), H5Sclose);
  const Handle attribute(H5Acreate2(file.id(), name, type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  std::string bytes;
  for (const char* text : texts) {
    std::string padded = text;
    padded.resize(8);
    bytes += padded;
  }
  ASSERT_GE(H5Awrite(attribute, type, fixed ? static_cast<const void*>(bytes.data()) : texts.data()), 0);
}

TEST(Attributes, ArraysOfTextsAreNoText) {
  const test::TempFolder folder;
  for (const bool fixed : {false, true})
    for (const std::size_t count : {2, 3, 1000}) {
      SCOPED_TRACE(fmt::format("{} texts, fixed {}", count, fixed));
      const fs::path path = folder / "array.h5";
      {
        File file = par04(path);
        file.write("showers", std::vector<float>(4 * kCells, 2.0f), {4, 4, 6, 5});
        for (const char* name : {"geometry", "format", "mesh", "peak_memory_bytes"})
          add_texts(file, name, std::vector<const char*>(count, "calopipe"), fixed);
        file.close();
      }
      testing::internal::CaptureStdout();
      testing::internal::CaptureStderr();
      const calo::DatasetReport read = report(path);
      const std::string said =
          testing::internal::GetCapturedStdout() + testing::internal::GetCapturedStderr();
      EXPECT_EQ(read.info.num_showers, 4);
      EXPECT_EQ(read.info.geometries, std::vector<std::string>{"unknown"});
      EXPECT_EQ(read.info.layout, calo::Layout::kPar04);
      EXPECT_NEAR(read.groups.at(0).response, 2.0 * kCells / 1000, 1e-6);
      for (const char* name : {"geometry", "format", "mesh", "peak_memory_bytes"})
        EXPECT_THAT(said, HasSubstr(fmt::format("the attribute {} is an array of {} strings", name, count)));
    }
}

TEST(Attributes, OneTextIsOneTextHoweverItIsStored) {
  const test::TempFolder folder;
  {
    File file = File::create(folder / "a.h5");
    add_texts(file, "fixed", {"SciPb"}, true);
    add_texts(file, "variable", {"SciPb"}, false);
    add_texts(file, "empty", {""}, false);
    file.set_attribute("scalar", "Süd");
    file.set_attribute("number", 3.0);
    const auto padded = [&](const char* name, H5T_str_t padding, const std::string& text) {
      const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
      H5Tset_size(type, text.size());
      H5Tset_strpad(type, padding);
      const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
      const Handle attribute(H5Acreate2(file.id(), name, type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
      H5Awrite(attribute, type, text.data());
    };
    padded("spaces", H5T_STR_SPACEPAD, "SciPb   ");
    padded("open", H5T_STR_NULLTERM, "SciPb");  // without the final NUL
    padded("latin", H5T_STR_NULLPAD,
           "S\xfc"
           "d");
    const Handle null(H5Screate(H5S_NULL), H5Sclose);
    Handle(H5Acreate2(file.id(), "null", H5T_IEEE_F32LE, null, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
    const Handle text(H5Tcopy(H5T_C_S1), H5Tclose);
    Handle(H5Acreate2(file.id(), "null_text", text, null, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
    file.close();
  }
  const File file = File::open(folder / "a.h5");
  for (const char* name : {"fixed", "variable", "spaces", "open"})
    EXPECT_EQ(file.text_attribute(name), "SciPb") << name;
  EXPECT_EQ(file.text_attribute("scalar"), "Süd");
  for (const char* name : {"empty", "null", "null_text", "number", "latin", "none"}) {
    EXPECT_EQ(file.text_attribute(name), std::nullopt) << name;
    if (std::string(name) != "number") {
      EXPECT_EQ(file.number_attribute(name), std::nullopt) << name;
    }
  }
  EXPECT_EQ(file.number_attribute("number"), 3.0);
}

TEST_F(PeerTest, AttributesOfEveryTypeThatH5pyWrites) {
  peer(R"(
with base('all.h5') as f:
    f['showers'] = cells
    a = f.attrs
    a['int'] = 5; a['bool'] = True; a['floats'] = [1.5, 2.5]; a['one'] = np.array([7]); a['opaque'] = np.void(b'abc')
    a['compound'] = np.array((1, 2.0), dtype=[('a', 'i4'), ('b', 'f8')]); a['reference'] = f['showers'].ref
    a['region'] = f['showers'].regionref[:2]; a['empty'] = h5py.Empty('f4'); a['none'] = np.zeros(0)
    a['grid'] = np.array([['a', 'b'], ['c', 'd']], object); a['text'] = '5'
    a.create('enum', 1, dtype=h5py.enum_dtype({'A': 0, 'B': 1}))
    f['showers'].attrs['times'] = np.arange(6, dtype='i8'); f['showers'].attrs['names'] = ['a', 'b']
)");
  const File file = File::open(folder_ / "all.h5");
  for (const char* name : {"int", "bool", "floats", "one", "opaque", "compound", "reference", "region",
                           "empty", "none", "grid", "enum"})
    EXPECT_EQ(file.text_attribute(name), std::nullopt) << name;
  EXPECT_EQ(file.text_attribute("text"), "5");
  EXPECT_EQ(file.number_attribute("int"), 5);
  EXPECT_EQ(file.number_attribute("one"), 7);
  for (const char* name : {"bool", "floats", "opaque", "compound", "reference", "region", "empty", "none",
                           "grid", "text", "enum"})
    EXPECT_EQ(file.number_attribute(name), std::nullopt) << name;
  EXPECT_EQ(file.attribute_floats("times", "showers"), (std::vector<float>{0, 1, 2, 3, 4, 5}));
  EXPECT_TRUE(file.attribute_floats("names", "showers").empty());
}

// --- cells that were never written ---

TEST_F(PeerTest, CellsThatWereNeverWrittenHoldTheFillValue) {
  peer(R"(
kinds = {'gzip': dict(chunks=(1, 4, 6, 5), compression='gzip'), 'shuffled': dict(chunks=(1, 4, 6, 5), compression='gzip', shuffle=True),
         'split': dict(chunks=(2, 3, 4, 2)), 'edge': dict(chunks=(4, 4, 6, 5), compression='gzip'), 'lzf': dict(chunks=(1, 4, 6, 5), compression='lzf'),
         'double': dict(dtype='f8', chunks=(1, 4, 6, 5), compression='gzip'), 'big': dict(dtype='>f4', chunks=(1, 4, 6, 5))}
for kind, options in kinds.items():
    for value in (float('nan'), -1, 1, 0, -0.0):
        name = f'{kind}_{value}.h5'
        with base(name) as f:
            d = f.create_dataset('showers', cells.shape, **{'dtype': 'f4', 'fillvalue': value, **options})
            d[:3] = cells[:3]
            if kind == 'split': d[4, 3:] = cells[4, 3:]
        say(name)
with base('time_never.h5') as f:
    p = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    p.set_chunk((1, 4, 6, 5)); p.set_fill_time(h5py.h5d.FILL_TIME_NEVER); p.set_fill_value(np.array([7], 'f4'))
    d = h5py.h5d.create(f.id, b'showers', h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((6, 4, 6, 5)), p)
    h5py.Dataset(d)[:3] = cells[:3]
say('time_never.h5')
)");
  for (const char* kind : {"gzip", "shuffled", "split", "edge", "lzf", "double", "big"})
    for (const char* value : {"nan", "-1", "1", "0", "-0.0"})
      expect_as_h5py(fmt::format("{}_{}.h5", kind, value));
  expect_as_h5py("time_never.h5");
  const calo::DatasetReport nan = report(folder_ / "gzip_nan.h5");
  EXPECT_EQ(nan.nan_cells, static_cast<std::int64_t>(3 * kCells));
  EXPECT_EQ(report(folder_ / "gzip_-1.h5").negative_cells, static_cast<std::int64_t>(3 * kCells));
}

TEST_F(PeerTest, ColumnsMayBeNothingButTheirFillValue) {
  peer(R"(
with h5py.File('column.h5', 'w') as f:
    f['showers'] = np.repeat(cells, 100, axis=0)
    f.create_dataset('incident_energy', (600,), 'f4', fillvalue=2000, chunks=(50,))[:50] = 1000
    f.create_dataset('incident_theta', (600,), 'f8', fillvalue=1.25)
)");
  core::ThreadPool pool(1);
  const auto reader = calo::ShowerReader::open(folder_ / "column.h5", {}, pool);
  EXPECT_EQ(reader->conditions()[49].incident_energy_mev, 1000);
  EXPECT_EQ(reader->conditions()[50].incident_energy_mev, 2000);
  EXPECT_EQ(reader->conditions()[599].theta_rad, 1.25f);
}

TEST(FillValues, WhatWasCreatedAndNeverWrittenIsNamed) {
  const test::TempFolder folder;
  for (const bool chunked : {false, true}) {
    const fs::path path = folder / "never.h5";
    File file = par04(path);
    const hsize_t shape[4] = {4, 4, 6, 5};
    const Handle space(H5Screate_simple(4, shape, nullptr), H5Sclose);
    const Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    if (chunked) H5Pset_chunk(properties, 4, shape);
    Handle(H5Dcreate2(file.id(), "showers", H5T_IEEE_F32LE, space, H5P_DEFAULT, properties, H5P_DEFAULT),
           H5Dclose);
    file.close();
    EXPECT_THAT(refusal(path), AllOf(HasSubstr("showers"), HasSubstr("nothing was ever written")));
  }
}

// --- virtual datasets, external files, links ---

constexpr const char* kParts = R"(
def part(name, a, **options):
    with h5py.File(name, 'w') as f:
        f['incident_energy'] = np.full(len(a), 1000, 'f4'); f.create_dataset('showers', data=a, **options)
# maps: (first row, source, rows of it that are taken, rows that it says to have)
def virtual(name, rows, maps, fill=0):
    with h5py.File(name, 'w') as f:
        for dataset, row in (('incident_energy', ()), ('showers', (4, 6, 5))):
            layout = h5py.VirtualLayout((rows,) + row, 'f4')
            for first, source, taken, has in maps:
                layout[first:first + taken] = h5py.VirtualSource(source, dataset, (has,) + row)[:taken]
            f.create_virtual_dataset(dataset, layout, fillvalue=fill)
os.makedirs('sub', exist_ok=True)
part('a.h5', cells[:2], compression='gzip'); part('sub/b.h5', cells[2:], compression='lzf', shuffle=True)
both = [(0, 'a.h5', 2, 2), (2, 'sub/b.h5', 4, 4)]
)";

TEST_F(PeerTest, VirtualDatasetsAreReadFromTheirSources) {
  peer(std::string(kParts) + R"(
virtual('both.h5', 6, both)
virtual('nested.h5', 6, [(0, 'both.h5', 6, 6)])
virtual('whole_path.h5', 2, [(0, os.path.abspath('a.h5'), 2, 2)])
virtual('moved.h5', 2, [(0, '/nowhere/a.h5', 2, 2)])
virtual('gap.h5', 7, [(0, 'a.h5', 2, 2), (3, 'sub/b.h5', 4, 4)], fill=5)
with base('same.h5') as f:
    f['x'] = cells[:3]; f['y'] = cells[3:]
    layout = h5py.VirtualLayout((6, 4, 6, 5), 'f8')
    layout[0::2] = h5py.VirtualSource('.', 'x', (3, 4, 6, 5)); layout[1::2] = h5py.VirtualSource('.', 'y', (3, 4, 6, 5))
    f.create_virtual_dataset('showers', layout)
# A numbered series, as many as there are, and a source that grows.
def endless(name, source, rows, block):
    with h5py.File(name, 'w') as f:
        for dataset, row in (('incident_energy', ()), ('showers', (4, 6, 5))):
            p = h5py.h5p.create(h5py.h5p.DATASET_CREATE); p.set_layout(h5py.h5d.VIRTUAL)
            none, one, unlimited = (0,) * len(row), (1,) * len(row), h5py.h5s.UNLIMITED
            target = h5py.h5s.create_simple((rows,) + row, (unlimited,) + row)
            if block:
                target.select_hyperslab((0,) + none, (unlimited,) + one, (block,) + (row or ()), (block,) + row)
                from_ = h5py.h5s.create_simple((block,) + row)
            else:
                target.select_hyperslab((0,) + none, (1,) + one, (1,) + one, (unlimited,) + row)
                from_ = h5py.h5s.create_simple((rows,) + row, (unlimited,) + row)
                from_.select_hyperslab((0,) + none, (1,) + one, (1,) + one, (unlimited,) + row)
            p.set_virtual(target, source.encode(), dataset.encode(), from_)
            h5py.h5d.create(f.id, dataset.encode(), h5py.h5t.IEEE_F32LE, target, p)
for i in range(3): part(f'n{i}.h5', cells[2 * i:2 * i + 2])
endless('series.h5', 'n%b.h5', 2, 2)
with h5py.File('long.h5', 'w') as f:
    f.create_dataset('showers', data=cells[:5], maxshape=(None, 4, 6, 5)); f.create_dataset('incident_energy', data=np.full(5, 1000, 'f4'), maxshape=(None,))
endless('grows.h5', 'long.h5', 2, 0)
names = 'both nested whole_path moved gap same series grows'.split()
for name in names: say(name + '.h5')
assert len(h5py.File('series.h5')['showers']) == 6 and len(h5py.File('grows.h5')['showers']) == 5
# Lost parts.
for i in (0, 2): part(f'm{i}.h5', cells[:2])
endless('lost.h5', 'm%b.h5', 2, 2); endless('no_series.h5', 'z%b.h5', 2, 2)
)");
  for (const char* name : {"both", "nested", "whole_path", "moved", "gap", "same", "series", "grows"})
    expect_as_h5py(std::string(name) + ".h5");
  EXPECT_EQ(report(folder_ / "both.h5").info.num_showers, 6);
  EXPECT_THAT(refusal(folder_ / "lost.h5"), HasSubstr("m1.h5 is missing"));
  EXPECT_THAT(refusal(folder_ / "no_series.h5"), HasSubstr("z0.h5 is missing"));
}

TEST_F(PeerTest, MissingAndSmallSourcesAreNamed) {
  peer(std::string(kParts) + R"(
virtual('missing.h5', 6, [(0, 'a.h5', 2, 2), (2, 'gone.h5', 4, 4)])
virtual('nested.h5', 6, [(0, 'missing.h5', 6, 6)])
virtual('small.h5', 6, [(0, 'a.h5', 3, 3), (3, 'sub/b.h5', 3, 4)])
virtual('itself.h5', 6, [(0, 'itself.h5', 6, 6)])
virtual('circle.h5', 6, [(0, 'circle2.h5', 6, 6)]); virtual('circle2.h5', 6, [(0, 'circle.h5', 6, 6)])
virtual('folder.h5', 6, [(0, 'sub', 6, 6)])
open('text.h5', 'w').write('no HDF5'); virtual('no_hdf5.h5', 6, [(0, 'text.h5', 6, 6)])
with base('no_dataset.h5') as f:
    layout = h5py.VirtualLayout((2, 4, 6, 5), 'f4'); layout[:] = h5py.VirtualSource('a.h5', 'shower', (2, 4, 6, 5))
    f.create_virtual_dataset('showers', layout)
# One of its energies; none of its showers.
virtual('gap.h5', 7, [(0, 'a.h5', 2, 2), (3, 'sub/b.h5', 4, 4)], fill=5)
)");
  const std::map<std::string, std::string> expected = {
      {"missing", "gone.h5"},  {"nested", "gone.h5"}, {"small", "a.h5"},      {"itself", "to itself"},
      {"circle", "to itself"}, {"folder", "sub"},     {"no_hdf5", "text.h5"}, {"no_dataset", "a.h5: shower"}};
  for (const auto& [name, what] : expected)
    EXPECT_THAT(refusal(folder_ / (name + ".h5")), HasSubstr(what)) << name;
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  report(folder_ / "gap.h5");
  const std::string said = testing::internal::GetCapturedStdout() + testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, AllOf(HasSubstr("showers"), HasSubstr("rows 2 to 2")));
}

TEST_F(PeerTest, ExternalFilesAndLinksAreFollowedOrNamed) {
  peer(R"(
for name in ('whole', 'short', 'gone'):
    with base(name + '.h5') as f:
        f.create_dataset('showers', cells.shape, 'f4', external=[(os.path.abspath(name + '.raw'), 0, h5py.h5f.UNLIMITED)])[...] = cells
say('whole.h5'); os.truncate('short.raw', 1000); os.remove('gone.raw')
with base('soft.h5') as f: f['data'] = cells; f['showers'] = h5py.SoftLink('/data')
with base('other.h5') as f: f['showers'] = h5py.ExternalLink('soft.h5', '/data')
say('soft.h5'); say('other.h5')
with base('soft_gone.h5') as f: f['showers'] = h5py.SoftLink('/nothing')
with base('other_gone.h5') as f: f['showers'] = h5py.ExternalLink('nowhere.h5', '/data')
with base('circle.h5') as f: f['showers'] = h5py.SoftLink('/b'); f['b'] = h5py.SoftLink('/showers')
)");
  for (const char* name : {"whole.h5", "soft.h5", "other.h5"}) expect_as_h5py(name);
  EXPECT_THAT(refusal(folder_ / "short.h5"), HasSubstr("short.raw"));
  EXPECT_THAT(refusal(folder_ / "gone.h5"), HasSubstr("gone.raw"));
  EXPECT_THAT(refusal(folder_ / "soft_gone.h5"), HasSubstr("/nothing"));
  EXPECT_THAT(refusal(folder_ / "other_gone.h5"), HasSubstr("nowhere.h5"));
  EXPECT_THAT(refusal(folder_ / "circle.h5"), HasSubstr("link"));
}

// --- filters, formats, types ---

TEST_F(PeerTest, FiltersAndTypesThatH5pyWrites) {
  peer(R"(
c = (2, 4, 6, 5)
kinds = {'lzf': dict(compression='lzf'), 'lzf_shuffle': dict(compression='lzf', shuffle=True), 'fletcher': dict(fletcher32=True),
         'lzf_all': dict(compression='lzf', shuffle=True, fletcher32=True), 'scale': dict(scaleoffset=3, compression='lzf'),
         'half': dict(dtype='f2'), 'half_big': dict(dtype='>f2', compression='lzf'), 'double_lzf': dict(dtype='f8', compression='lzf'),
         'long': dict(dtype=np.longdouble)}
for name, options in kinds.items():
    with base(name + '.h5') as f: f.create_dataset('showers', data=cells, chunks=c, **options)
    say(name + '.h5')
# What does not shrink, lzf leaves as it is, and notes that in the chunk.
with base('noise.h5') as f: f.create_dataset('showers', data=random.random((6, 4, 6, 5)), dtype='f4', chunks=c, compression='lzf')
say('noise.h5')
)");
  for (const char* name : {"lzf", "lzf_shuffle", "fletcher", "lzf_all", "scale", "half", "half_big",
                           "double_lzf", "long", "noise"})
    expect_as_h5py(std::string(name) + ".h5");
}

// Replaces all occurrences of `from` in a file's bytes.
void patch(const fs::path& path, const std::string& from, const std::string& to) {
  std::string bytes = core::read_file(path);
  std::size_t place = bytes.find(from);
  ASSERT_NE(place, std::string::npos);
  for (; place != std::string::npos; place = bytes.find(from, place + to.size()))
    bytes.replace(place, from.size(), to);
  core::write_file(path, bytes);
}

// Writes a file like a program that has the filter.
void write_filtered(const fs::path& path, H5Z_filter_t filter) {
  const H5Z_class2_t copy = {
      H5Z_CLASS_T_VERS,
      filter,
      1,
      1,
      "",
      nullptr,
      nullptr,
      [](unsigned, std::size_t, const unsigned*, std::size_t bytes, std::size_t*, void**) { return bytes; }};
  File file = par04(path);
  ASSERT_GE(H5Zregister(&copy), 0);
  const hsize_t shape[4] = {4, 4, 6, 5};
  const Handle space(H5Screate_simple(4, shape, nullptr), H5Sclose);
  const Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_chunk(properties, 4, shape);
  H5Pset_filter(properties, filter, 0, 0, nullptr);
  {
    const Handle dataset(
        H5Dcreate2(file.id(), "showers", H5T_IEEE_F32LE, space, H5P_DEFAULT, properties, H5P_DEFAULT),
        H5Dclose);
    const std::vector<float> cells(4 * kCells, 1.0f);
    ASSERT_GE(H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, cells.data()), 0);
  }
  file.close();
  H5Zunregister(filter);
}

TEST(Filters, ThatAreNotHereAreNamed) {
  const test::TempFolder folder;
  const std::map<H5Z_filter_t, std::string> names = {
      {32015, "zstd, filter 32015"},   {32001, "blosc, filter 32001"},
      {32004, "lz4, filter 32004"},    {32008, "bitshuffle, filter 32008"},
      {307, "bzip2, filter 307"},      {32013, "zfp, filter 32013"},
      {32026, "blosc2, filter 32026"}, {400, "filter 400"}};
  for (const auto& [filter, name] : names) {
    write_filtered(folder / "filtered.h5", filter);
    core::ThreadPool pool(1);
    try {
      calo::ShowerReader::open(folder / "filtered.h5", {}, pool);  // on opening, not on reading
      ADD_FAILURE() << name;
    } catch (const core::InputError& error) {
      EXPECT_THAT(error.what(),
                  AllOf(HasSubstr(name), HasSubstr("h5repack -f GZIP=4"), HasSubstr("HDF5_PLUGIN_PATH")));
    }
  }
}

// A version that this HDF5 does not know is that of a newer one.
TEST(Formats, OfANewerHdf5AreNamed) {
  const test::TempFolder folder;
  {
    File file = par04(folder / "superblock.h5");
    file.write("showers", std::vector<float>(4 * kCells, 1.0f), {4, 4, 6, 5});
    file.close();
  }
  const std::string signature("\x89HDF\r\n\x1a\n", 8);
  patch(folder / "superblock.h5", signature + '\0', signature + '\4');
  EXPECT_THAT(refusal(folder / "superblock.h5"),
              AllOf(HasSubstr("newer HDF5"), HasSubstr("h5repack"), HasSubstr("v110")));
  // A layout message of version 9 in an old file's header, which has no checksum: newer, or damaged.
  {
    File file = par04(folder / "layout.h5");
    file.write("showers", std::vector<float>(4 * kCells, 1.0f), {4, 4, 6, 5});
    file.close();
  }
  // Version 3, contiguous, somewhere, 4 x 120 floats.
  std::string bytes = core::read_file(folder / "layout.h5");
  const std::string size("\x80\x07\0\0\0\0\0\0", 8);
  bool found = false;
  for (std::size_t at = bytes.find(size); at != std::string::npos; at = bytes.find(size, at + 1))
    if (at >= 10 && bytes[at - 10] == 3 && bytes[at - 9] == 1) {
      bytes[at - 10] = 9;
      found = true;
    }
  ASSERT_TRUE(found);
  core::write_file(folder / "layout.h5", bytes);
  EXPECT_THAT(refusal(folder / "layout.h5"), AllOf(HasSubstr("damaged, or written for a newer HDF5")));
  // A file that is only damaged is not called newer.
  core::write_file(folder / "cut.h5", core::read_file(folder / "layout.h5").substr(0, 900));
  EXPECT_THAT(refusal(folder / "cut.h5"), testing::Not(HasSubstr("newer")));
}

TEST_F(PeerTest, TypesThatAreNoCellsAreNamed) {
  peer(R"(
kinds = {'integers': cells.astype('i4'), 'compound': np.zeros((6, 4, 6, 5), [('e', 'f4'), ('n', 'i4')]), 'texts': np.full((6, 4, 6, 5), b'1.5'),
         'booleans': cells > 0, 'complex': cells.astype('c8')}
for name, data in kinds.items():
    with base(name + '.h5') as f: f['showers'] = data
with base('lists.h5') as f:
    d = f.create_dataset('showers', (6, 4, 6, 5), dtype=h5py.vlen_dtype('f4')); d[0, 0, 0, 0] = [1, 2]
with base('scalar.h5') as f: f['showers'] = 3.5
with base('null.h5') as f: f['showers'] = h5py.Empty('f4')
with base('energy_texts.h5') as f: del f['incident_energy']; f['incident_energy'] = [b'1'] * 6; f['showers'] = cells
)");
  const std::map<std::string, std::string> expected = {{"integers", "32-bit integers"},
                                                       {"compound", "compound values"},
                                                       {"texts", "strings"},
                                                       {"booleans", "enumeration"},
                                                       {"complex", "compound values"},
                                                       {"lists", "lists of varying lengths"},
                                                       {"scalar", "0 dimensions"},
                                                       {"null", "0 dimensions"},
                                                       {"energy_texts", "incident_energy: contains strings"}};
  for (const auto& [name, what] : expected)
    EXPECT_THAT(refusal(folder_ / (name + ".h5")), HasSubstr(what)) << name;
}

TEST_F(PeerTest, IntegersThatDoNotFitAreRefused) {
  peer(R"(
for name, offsets, cells_ in (('good', [0, 1, 2], [3, 4]), ('negative', [0, 1, 2], [-3, 4]), ('large', [0, 1, 2], [2**40, 4]), ('offsets', [0, -1, 2], [3, 4])):
    with h5py.File(name + '.h5', 'w') as f:
        f.attrs['format'] = 'calopipe'; f.attrs['format_version'] = 1; f.attrs['geometries'] = '["SiW"]'
        f.attrs['mesh'] = '{"kind": "cylinder", "n_r": 4, "n_phi": 6, "n_z": 5, "size_r_mm": 1, "size_z_mm": 1}'
        for column in ('incident_energy', 'incident_theta', 'incident_phi'): f[column] = np.ones(2, 'f4')
        f['geometry'] = np.zeros(2, 'i8'); f['offsets'] = np.array(offsets, 'i8'); f['cells'] = np.array(cells_, 'i8'); f['energies'] = np.ones(2, 'f4')
)");
  EXPECT_EQ(refusal(folder_ / "good.h5"), "");
  for (const char* name : {"negative", "large"})
    EXPECT_THAT(refusal(folder_ / (std::string(name) + ".h5")), HasSubstr("cells"));
  EXPECT_THAT(refusal(folder_ / "offsets.h5"), HasSubstr("offsets"));
}

}  // namespace
