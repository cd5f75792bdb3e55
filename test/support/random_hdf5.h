#pragma once

#include <lzf.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "calo/io/chunk_codec.h"
#include "calo/io/dense_dataset.h"
#include "calo/io/detail/hdf5_filters.h"
#include "calo/io/hdf5.h"
#include "core/error.h"
#include "support/choices.h"

namespace test {

/// A random dataset of cells, as HDF5 can write it, to check that calopipe reads it like HDF5.
struct RandomDataset {
  std::vector<hsize_t> shape;
  bool written = false;  ///< true if anything is stored
  bool damaged = false;  ///< true if a chunk was overwritten with invalid bytes
};

inline std::vector<float> random_cells(std::size_t count, Choices& choices) {
  std::vector<float> cells(count, 0.0f);
  const std::uint32_t filled = choices.below(4);
  for (std::size_t i = 0; i < count; ++i)
    if (filled > 0 && i % (4 - filled) == 0)
      cells[i] = static_cast<float>(choices.below(1000)) / 8.0f - 10.0f;
  if (choices.one_in(8) && count > 0) cells[choices.below(static_cast<std::uint32_t>(count))] = NAN;
  return cells;
}

inline std::size_t product(const std::vector<hsize_t>& shape) {
  std::size_t all = 1;
  for (const hsize_t extent : shape) all *= extent;
  return all;
}

/// Creates `name` in an open file.
/// @param damage  allow chunks to be overwritten with invalid bytes
inline RandomDataset make_dataset(hid_t file, const std::string& name, std::vector<hsize_t> shape,
                                  Choices& choices, bool damage = false) {
  using calo::hdf5::Handle;
  RandomDataset out{.shape = shape};
  const int rank = static_cast<int>(shape.size());
  const hid_t type = choices.of<hid_t>(
      {H5T_IEEE_F32LE, H5T_IEEE_F32LE, H5T_IEEE_F32LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE, H5T_IEEE_F64BE});
  const Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  const std::uint32_t layout = choices.below(8);
  std::vector<hsize_t> limit = shape, chunk = shape;
  const bool chunked = layout >= 2;
  calo::ChunkCodec codec;
  bool plain_filters = true;
  if (layout == 0) H5Pset_layout(properties, H5D_COMPACT);
  if (chunked) {
    for (hsize_t& extent : chunk) extent = 1 + choices.below(static_cast<std::uint32_t>(extent));
    if (choices.one_in(3)) limit[0] = H5S_UNLIMITED;
    if (choices.one_in(6)) limit.back() = H5S_UNLIMITED;
    H5Pset_chunk(properties, rank, chunk.data());
    if (choices.one_in(2)) {
      H5Pset_shuffle(properties);
      codec.shuffle = true;
    }
    switch (choices.below(6)) {
      case 0:
      case 1:
        H5Pset_deflate(properties, 1 + choices.below(9));
        codec.deflate = true;
        break;
      case 2:
      case 3: {
        const std::array<unsigned, 3> values = {4, 0x105,
                                                static_cast<unsigned>(product(chunk) * H5Tget_size(type))};
        H5Pset_filter(properties, calo::hdf5::kLzf, H5Z_FLAG_OPTIONAL, choices.one_in(4) ? 0 : values.size(),
                      values.data());
        codec.lzf = true;
        break;
      }
      case 4:
        plain_filters = false;
        if (choices.one_in(2))
          H5Pset_nbit(properties);
        else
          H5Pset_deflate(properties, 3), H5Pset_deflate(properties, 3);
        break;
      default:
        break;
    }
    if (choices.one_in(5)) {
      H5Pset_fletcher32(properties);
      plain_filters = false;
    }
    if (choices.one_in(5)) H5Pset_chunk_opts(properties, H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS);
  }
  const float fill =
      choices.of<float>({0.0f, 0.0f, -0.0f, 1.0f, -1.0f, 0.1f, std::numeric_limits<float>::quiet_NaN()});
  switch (choices.below(4)) {
    case 0:
      break;
    case 1:
      H5Pset_fill_value(properties, H5T_NATIVE_FLOAT, nullptr);  // undefined
      break;
    default:
      H5Pset_fill_value(properties, H5T_NATIVE_FLOAT, &fill);
  }
  if (choices.one_in(5)) H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER);
  if (choices.one_in(6)) H5Pset_alloc_time(properties, H5D_ALLOC_TIME_EARLY);
  const Handle space(H5Screate_simple(rank, shape.data(), chunked ? limit.data() : nullptr), H5Sclose);
  const Handle dataset(H5Dcreate2(file, name.c_str(), type, space, H5P_DEFAULT, properties, H5P_DEFAULT),
                       H5Dclose);
  H5Eclear2(H5E_DEFAULT);
  if (!dataset.valid()) return out;  // HDF5 rejects this combination

  const std::uint32_t pieces = choices.below(4);
  for (std::uint32_t piece = 0; piece < pieces; ++piece) {
    std::vector<hsize_t> start(shape.size()), count(shape.size());
    for (std::size_t i = 0; i < shape.size(); ++i) {
      start[i] = choices.below(static_cast<std::uint32_t>(shape[i]));
      count[i] = 1 + choices.below(static_cast<std::uint32_t>(shape[i] - start[i]));
    }
    const Handle target(H5Dget_space(dataset), H5Sclose);
    H5Sselect_hyperslab(target, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
    const Handle memory(H5Screate_simple(rank, count.data(), nullptr), H5Sclose);
    const std::vector<float> cells = random_cells(product(count), choices);
    H5Dwrite(dataset, H5T_NATIVE_FLOAT, memory, target, H5P_DEFAULT, cells.data());
  }
  // Writes raw chunks, some without filters, as HDF5 does if a filter fails, or damaged.
  if (chunked && plain_filters && type == H5T_IEEE_F32LE && choices.one_in(2)) {
    std::vector<hsize_t> offset(shape.size());
    for (std::size_t i = 0; i < shape.size(); ++i)
      offset[i] = choices.below(static_cast<std::uint32_t>((shape[i] + chunk[i] - 1) / chunk[i])) * chunk[i];
    const std::vector<float> cells = random_cells(product(chunk), choices);
    const std::span<const std::uint8_t> raw(reinterpret_cast<const std::uint8_t*>(cells.data()),
                                            cells.size() * sizeof(float));
    calo::ChunkCodec used = codec;
    std::uint32_t mask = 0;
    const std::uint32_t compression_bit = codec.shuffle ? 2 : 1;
    if ((codec.deflate || codec.lzf) && choices.one_in(2)) {
      used.deflate = used.lzf = false;
      mask |= compression_bit;
    }
    if (codec.shuffle && choices.one_in(2)) {
      used.shuffle = false;
      mask |= 1;
    }
    std::vector<std::uint8_t> bytes = used.encode(raw, 1);
    if (used.lzf) {
      std::vector<std::uint8_t> shrunk(bytes.size());
      const unsigned size = lzf_compress(bytes.data(), static_cast<unsigned>(bytes.size()), shrunk.data(),
                                         static_cast<unsigned>(shrunk.size() - 1));
      if (size == 0)
        mask |= compression_bit;
      else
        bytes.assign(shrunk.begin(), shrunk.begin() + size);
    }
    if (damage && choices.one_in(2)) {
      out.damaged = true;
      bytes.resize(1 + choices.below(64));
      for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(choices.below(256));
      mask = choices.below(4);
    }
    // Unfiltered chunks at the edge cannot be written this way.
    unsigned options = 0;
    H5Pget_chunk_opts(properties, &options);
    if (options == 0) H5Dwrite_chunk(dataset, H5P_DEFAULT, mask, offset.data(), bytes.size(), bytes.data());
  }
  H5Eclear2(H5E_DEFAULT);
  H5Dflush(dataset);  // a chunk in HDF5's cache does not count
  out.written = H5Dget_storage_size(dataset) > 0;
  return out;
}

/// Rows [begin, end) as HDF5 reads them, into zeros like h5py; empty if it cannot.
inline std::vector<float> read_by_hdf5(hid_t dataset, const std::vector<hsize_t>& shape, std::int64_t begin,
                                       std::int64_t end) {
  using calo::hdf5::Handle;
  std::vector<hsize_t> start(shape.size(), 0), count = shape;
  start[0] = static_cast<hsize_t>(begin);
  count[0] = static_cast<hsize_t>(end - begin);
  std::vector<float> cells(product(count), 0.0f);
  const Handle space(H5Dget_space(dataset), H5Sclose);
  H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
  const Handle memory(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr), H5Sclose);
  if (H5Dread(dataset, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, cells.data()) < 0) cells.clear();
  return cells;
}

/// First difference between calopipe's and HDF5's reading of a dataset; empty if there is none. Throws
/// core::InputError if calopipe rejects it.
inline std::string difference(const calo::hdf5::File& file, const std::string& name, core::ThreadPool& pool,
                              Choices& choices) {
  const calo::DenseDataset ours(file, name, {});
  const calo::hdf5::Handle dataset = file.dataset(name);
  const std::vector<hsize_t> shape = file.shape(name);
  for (int part = 0; part < 3; ++part) {
    const auto rows = static_cast<std::uint32_t>(ours.rows());
    const std::int64_t begin = part == 0 ? 0 : choices.below(rows);
    const std::int64_t end =
        part == 0 ? ours.rows() : begin + 1 + choices.below(rows - static_cast<std::uint32_t>(begin));
    const std::vector<float> expected = read_by_hdf5(dataset, shape, begin, end);
    const auto count = static_cast<std::size_t>(end - begin), cells = static_cast<std::size_t>(ours.cells());
    calo::Showers showers(ours.cells(), {"SiW"});
    ours.read(begin, end, std::vector<calo::Conditions>(count), pool, showers);
    // HDF5 1.10 cannot read everything that it wrote: it passes an unfiltered chunk at the edge through its
    // filters.
    if (expected.empty()) return "is read, but HDF5 cannot read it";
    if (showers.size() != count) return "another number of rows";
    for (std::size_t row = 0; row < count; ++row) {
      std::vector<float> dense(cells, 0.0f);
      showers.to_dense(row, dense);
      for (std::size_t cell = 0; cell < cells; ++cell) {
        const float a = dense[cell], b = expected[row * cells + cell];
        if (!(a == b || (std::isnan(a) && std::isnan(b))))
          return "row " + std::to_string(begin + static_cast<std::int64_t>(row)) + ", cell " +
                 std::to_string(cell) + ": " + std::to_string(a) + ", but HDF5 reads " + std::to_string(b);
      }
    }
  }
  return "";
}

}  // namespace test
