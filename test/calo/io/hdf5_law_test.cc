// calopipe reads everything that HDF5 can write as HDF5 reads it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/random_hdf5.h"
#include "support/temp_folder.h"

namespace {

using calo::hdf5::File;
using calo::hdf5::Handle;
using test::Choices;

std::vector<hsize_t> random_shape(Choices& choices) {
  std::vector<hsize_t> shape(2 + choices.below(3));
  for (hsize_t& extent : shape) extent = 1 + choices.below(7);
  return shape;
}

TEST(Hdf5Law, RandomDatasetsAreReadAsHdf5ReadsThem) {
  const test::TempFolder folder;
  core::ThreadPool pool(2);
  int read = 0, refused = 0;
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Choices choices(seed);
    const auto path = folder / "random.h5";
    test::RandomDataset made;
    {
      File file = File::create(path);
      made = test::make_dataset(file.id(), "showers", random_shape(choices), choices);
      file.close();
    }
    const File file = File::open(path);
    if (!file.has("showers")) continue;
    if (made.written) {
      ASSERT_EQ(test::difference(file, "showers", pool, choices), "");
      ++read;
    } else {
      EXPECT_THROW(test::difference(file, "showers", pool, choices), core::InputError);
      ++refused;
    }
  }
  EXPECT_GT(read, 300);
  EXPECT_GT(refused, 10);
}

// Sources side by side along a random axis, whole or in stripes; some with a gap, some nested.
TEST(Hdf5Law, RandomVirtualDatasetsAreReadAsHdf5ReadsThem) {
  const test::TempFolder folder;
  core::ThreadPool pool(2);
  int read = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Choices choices(seed + 10'000);
    const std::vector<hsize_t> part = random_shape(choices);
    const std::size_t axis = choices.below(static_cast<std::uint32_t>(part.size()));
    const hsize_t parts = 1 + choices.below(3);
    const bool striped = choices.one_in(3), gap = choices.one_in(4), nested = choices.one_in(3);
    bool written = true;
    std::vector<hsize_t> whole = part;
    whole[axis] = part[axis] * parts + (gap ? 1 : 0);
    const Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    const float fill = choices.of<float>({0, 2, -3});
    H5Pset_fill_value(properties, H5T_NATIVE_FLOAT, &fill);
    const auto rank = static_cast<int>(part.size());
    for (hsize_t i = 0; i < parts; ++i) {
      const std::string name = fmt::format("part{}.h5", i);
      File file = File::create(folder / name);
      written = test::make_dataset(file.id(), "cells", part, choices).written && written;
      file.close();
      const Handle target(H5Screate_simple(rank, whole.data(), nullptr), H5Sclose);
      const Handle source(H5Screate_simple(rank, part.data(), nullptr), H5Sclose);
      std::vector<hsize_t> start(part.size(), 0), stride(part.size(), 1), count = part;
      start[axis] = striped ? i : i * part[axis];
      stride[axis] = striped ? parts : 1;
      H5Sselect_hyperslab(target, H5S_SELECT_SET, start.data(), stride.data(), count.data(), nullptr);
      ASSERT_GE(H5Pset_virtual(properties, target, name.c_str(), "cells", source), 0);
    }
    File file = File::create(folder / "virtual.h5");
    const Handle space(H5Screate_simple(rank, whole.data(), nullptr), H5Sclose);
    const hid_t type = choices.of<hid_t>({H5T_IEEE_F32LE, H5T_IEEE_F64BE});
    ASSERT_TRUE(Handle(H5Dcreate2(file.id(), nested ? "inner" : "showers", type, space, H5P_DEFAULT,
                                  properties, H5P_DEFAULT),
                       H5Dclose)
                    .valid());
    if (nested) {
      const Handle outer(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
      H5Pset_virtual(outer, space, ".", "inner", space);
      ASSERT_TRUE(
          Handle(H5Dcreate2(file.id(), "showers", type, space, H5P_DEFAULT, outer, H5P_DEFAULT), H5Dclose)
              .valid());
    }
    file.close();
    const File opened = File::open(folder / "virtual.h5");
    if (written) {
      ASSERT_EQ(test::difference(opened, "showers", pool, choices), "");
      ++read;
    } else {
      EXPECT_THROW(test::difference(opened, "showers", pool, choices), core::InputError);
    }
    // A missing source is an error and never gives fill values.
    std::filesystem::remove(folder / "part0.h5");
    const File less = File::open(folder / "virtual.h5");
    try {
      test::difference(less, "showers", pool, choices);
      ADD_FAILURE() << "was read without a source";
    } catch (const core::InputError& error) {
      EXPECT_NE(std::string(error.what()).find("part"), std::string::npos) << error.what();
    }
  }
  EXPECT_GT(read, 60);
}

// The file's index gives a chunk without filters a size that does not follow from its shape.
TEST(Hdf5Law, AChunkWithoutFiltersOfAnotherSizeIsRefused) {
  const test::TempFolder folder;
  core::ThreadPool pool(2);
  for (const std::size_t stored : {4, 12, 16, 20, 64, 4096}) {
    SCOPED_TRACE(fmt::format("{} bytes instead of 16", stored));
    const auto path = folder / "sizes.h5";
    {
      File file = File::create(path);
      const hsize_t shape[2] = {2, 4}, chunk[2] = {1, 4}, offset[2] = {0, 0};
      const Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
      H5Pset_chunk(properties, 2, chunk);
      const Handle space(H5Screate_simple(2, shape, nullptr), H5Sclose);
      const Handle dataset(
          H5Dcreate2(file.id(), "showers", H5T_IEEE_F32LE, space, H5P_DEFAULT, properties, H5P_DEFAULT),
          H5Dclose);
      const std::vector<float> cells(stored / sizeof(float), 1.5f);
      ASSERT_GE(H5Dwrite_chunk(dataset, H5P_DEFAULT, 0, offset, stored, cells.data()), 0);
      file.close();
    }
    Choices choices(1);
    const File file = File::open(path);
    if (stored == 16)
      EXPECT_EQ(test::difference(file, "showers", pool, choices), "");
    else
      EXPECT_THROW(test::difference(file, "showers", pool, choices), core::InputError);
  }
}

}  // namespace
