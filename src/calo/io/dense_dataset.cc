#include "calo/io/dense_dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "core/error.h"

namespace calo {
namespace {

constexpr std::uint64_t kMaxRows = std::uint64_t{1} << 40;
constexpr std::uint64_t kMaxCells = std::uint64_t{1} << 31;

// Places of `row` that are not zero. Most of a shower is zero, so eight floats are looked at together.
void collect_hits(const float* row, std::size_t cells, std::vector<std::uint32_t>& places,
                  std::vector<float>& values) {
  std::size_t i = 0;
  for (; i + 8 <= cells; i += 8) {
    std::uint64_t words[4];
    std::memcpy(words, row + i, sizeof words);
    if ((words[0] | words[1] | words[2] | words[3]) == 0) continue;
    for (std::size_t j = i; j < i + 8; ++j)
      if (row[j] != 0) {
        places.push_back(static_cast<std::uint32_t>(j));
        values.push_back(row[j]);
      }
  }
  for (; i < cells; ++i)
    if (row[i] != 0) {
      places.push_back(static_cast<std::uint32_t>(i));
      values.push_back(row[i]);
    }
}

}  // namespace

struct DenseDataset::Chunk {
  std::vector<hsize_t> offset;
  std::vector<std::uint8_t> bytes;
  unsigned skipped_filters = 0;
};

DenseDataset::DenseDataset(const hdf5::File& file, std::string name, std::vector<std::uint32_t> cell_of)
    : file_(file), name_(std::move(name)), dataset_(file.dataset(name_)), shape_(file.shape(name_)) {
  if (shape_.size() < 2)
    file.fail_reading(name_, fmt::format("has {} dimensions, and showers have [N, cells] or [N, r, phi, z]",
                                         shape_.size()));
  const hdf5::Handle type(H5Dget_type(dataset_), H5Tclose);
  if (H5Tget_class(type) != H5T_FLOAT) file.fail_reading(name_, "does not hold floating-point numbers");
  std::uint64_t cells = 1;
  for (std::size_t i = 1; i < shape_.size(); ++i) {
    if (shape_[i] == 0 || shape_[i] >= kMaxCells || (cells *= shape_[i]) >= kMaxCells)
      file.fail_reading(name_, fmt::format("has an impossible shape: dimension {} is {}", i, shape_[i]));
  }
  if (shape_[0] >= kMaxRows) file.fail_reading(name_, "declares an impossible number of showers");
  rows_ = static_cast<std::int64_t>(shape_[0]);
  cells_ = static_cast<std::int64_t>(cells);
  hdf5::check_stored(file, name_, dataset_, shape_[0] * cells * H5Tget_size(type));

  const hdf5::Handle properties(H5Dget_create_plist(dataset_), H5Pclose);
  if (H5Pget_layout(properties) == H5D_CHUNKED) {
    chunk_.resize(shape_.size());
    H5Pget_chunk(properties, static_cast<int>(chunk_.size()), chunk_.data());
    rows_per_band_ = static_cast<std::int64_t>(std::min(chunk_[0], std::max<hsize_t>(1, shape_[0])));
    direct_ = H5Tequal(type, H5T_IEEE_F32LE) > 0;
    const int filters = H5Pget_nfilters(properties);
    for (int i = 0; i < filters; ++i) {
      unsigned flags = 0;
      std::size_t values = 0;
      const H5Z_filter_t filter =
          H5Pget_filter2(properties, static_cast<unsigned>(i), &flags, &values, nullptr, 0, nullptr, nullptr);
      if (filter == H5Z_FILTER_SHUFFLE && i == 0)
        codec_.shuffle = true;
      else if (filter == H5Z_FILTER_DEFLATE && i == filters - 1)
        codec_.deflate = true;
      else
        direct_ = false;
    }
  }
  if (!cell_of.empty()) {
    place_of_.resize(cell_of.size());
    for (std::size_t place = 0; place < cell_of.size(); ++place)
      place_of_[cell_of[place]] = static_cast<std::uint32_t>(place);
  }
}

void DenseDataset::read(std::int64_t begin, std::int64_t end, std::span<const Conditions> conditions,
                        core::ThreadPool& pool, Showers& out) const {
  if (begin >= end) return;
  const auto rows = static_cast<std::size_t>(end - begin);
  const auto cells = static_cast<std::size_t>(cells_);
  std::vector<float> dense(rows * cells);
  if (direct_)
    fill_by_chunks(begin, end, pool, dense);
  else
    fill_by_hdf5(begin, end, dense);
  std::vector<std::vector<std::uint32_t>> hit_cells(rows);
  std::vector<std::vector<float>> hit_energies(rows);
  pool.for_each(rows, [&](std::size_t row) {
    const float* values = dense.data() + row * cells;
    if (place_of_.empty()) {
      collect_hits(values, cells, hit_cells[row], hit_energies[row]);
    } else {
      for (std::size_t cell = 0; cell < cells; ++cell)
        if (const float value = values[place_of_[cell]]; value != 0) {
          hit_cells[row].push_back(static_cast<std::uint32_t>(cell));
          hit_energies[row].push_back(value);
        }
    }
  });
  for (std::size_t row = 0; row < rows; ++row) out.append(conditions[row], hit_cells[row], hit_energies[row]);
}

void DenseDataset::fill_by_hdf5(std::int64_t begin, std::int64_t end, std::vector<float>& dense) const {
  const hdf5::Handle space(H5Dget_space(dataset_), H5Sclose);
  std::vector<hsize_t> start(shape_.size(), 0);
  std::vector<hsize_t> count = shape_;
  start[0] = static_cast<hsize_t>(begin);
  count[0] = static_cast<hsize_t>(end - begin);
  H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
  const hdf5::Handle memory(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr),
                            H5Sclose);
  if (H5Dread(dataset_, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, dense.data()) < 0)
    file_.fail_reading(name_,
                       fmt::format("rows {} to {} cannot be read: {}", begin, end - 1, hdf5::last_error()));
}

void DenseDataset::fill_by_chunks(std::int64_t begin, std::int64_t end, core::ThreadPool& pool,
                                  std::vector<float>& dense) const {
  const std::size_t rank = shape_.size();
  // Fetch the raw chunks that touch the rows, in the order of the grid; HDF5 is called by this thread only.
  std::vector<Chunk> chunks;
  std::vector<hsize_t> offset(rank, 0);
  offset[0] = static_cast<hsize_t>(begin) / chunk_[0] * chunk_[0];
  while (offset[0] < static_cast<hsize_t>(end)) {
    hsize_t size = 0;
    if (H5Dget_chunk_storage_size(dataset_, offset.data(), &size) >= 0 && size > 0) {
      Chunk chunk{.offset = offset, .bytes = std::vector<std::uint8_t>(size)};
      std::uint32_t mask = 0;
      if (H5Dread_chunk(dataset_, H5P_DEFAULT, offset.data(), &mask, chunk.bytes.data()) < 0)
        file_.fail_reading(
            name_, fmt::format("the chunk at row {} cannot be read: {}", offset[0], hdf5::last_error()));
      chunk.skipped_filters = mask;
      chunks.push_back(std::move(chunk));
    }  // a chunk that was never written is all zeros
    std::size_t axis = rank;
    while (axis-- > 0) {
      offset[axis] += chunk_[axis];
      if (axis == 0 || offset[axis] < shape_[axis]) break;
      offset[axis] = 0;
    }
  }
  std::size_t elements = 1;
  for (const hsize_t extent : chunk_) elements *= extent;
  std::atomic<std::int64_t> damaged{-1};
  pool.for_each(chunks.size(), [&](std::size_t index) {
    const Chunk& chunk = chunks[index];
    std::vector<float> raw(elements);
    ChunkCodec codec = codec_;
    if ((chunk.skipped_filters & 1) != 0) (codec.shuffle ? codec.shuffle : codec.deflate) = false;
    if ((chunk.skipped_filters & 2) != 0) codec.deflate = false;
    if (!codec.decode(chunk.bytes,
                      {reinterpret_cast<std::uint8_t*>(raw.data()), raw.size() * sizeof(float)})) {
      damaged = static_cast<std::int64_t>(chunk.offset[0]);
      return;
    }
    // Copy run by run along the last axis; chunks at the edges reach over the end of the data.
    const std::size_t last = rank - 1;
    const hsize_t run = std::min(chunk_[last], shape_[last] - chunk.offset[last]);
    std::vector<hsize_t> at(rank, 0);
    for (std::size_t source = 0; source < elements; source += chunk_[last]) {
      bool inside = true;
      std::size_t target = 0;
      for (std::size_t axis = 0; axis < last && inside; ++axis) {
        hsize_t place = chunk.offset[axis] + at[axis];
        inside = place < shape_[axis];
        if (axis == 0) {
          inside = inside && place >= static_cast<hsize_t>(begin) && place < static_cast<hsize_t>(end);
          place -= static_cast<hsize_t>(begin);
        }
        target = target * (axis == 0 ? 1 : shape_[axis]) + place;
      }
      if (inside)
        std::memcpy(dense.data() + target * shape_[last] + chunk.offset[last], raw.data() + source,
                    run * sizeof(float));
      for (std::size_t axis = last; axis-- > 0;) {
        if (++at[axis] < chunk_[axis]) break;
        at[axis] = 0;
      }
    }
  });
  if (damaged >= 0)
    file_.fail_reading(
        name_,
        fmt::format("the chunk at row {} is damaged: its compressed bytes do not expand", damaged.load()));
}

}  // namespace calo
