#include "calo/io/dense_dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "calo/io/detail/hdf5_filters.h"
#include "calo/io/detail/hdf5_remote.h"
#include "calo/io/detail/hdf5_types.h"
#include "core/error.h"

namespace calo {
namespace {

constexpr std::uint64_t kMaxRows = std::uint64_t{1} << 40;
constexpr std::uint64_t kMaxCells = std::uint64_t{1} << 31;

// Calls hit(i, value) for the floats [begin, end) that are not zero. Most are zero, so eight are tested
// together.
template <class Hit>
void scan(const std::uint8_t* bytes, std::size_t begin, std::size_t end, const Hit& hit) {
  const auto look = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      float value = 0;
      std::memcpy(&value, bytes + i * sizeof value, sizeof value);
      if (value != 0) hit(i, value);
    }
  };
  std::size_t i = begin;
  for (; i + 8 <= end; i += 8) {
    std::uint64_t words[4];
    std::memcpy(words, bytes + i * sizeof(float), sizeof words);
    if ((words[0] | words[1] | words[2] | words[3]) != 0) look(i, i + 8);
  }
  look(i, end);
}

// The same for floats whose bytes HDF5's shuffle has reordered: byte k of all `count` floats together, for
// each k.
template <class Hit>
void scan_shuffled(const std::uint8_t* bytes, std::size_t count, std::size_t begin, std::size_t end,
                   const Hit& hit) {
  const auto look = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      std::uint32_t bits = 0;
      for (unsigned k = 0; k < 4; ++k) bits |= std::uint32_t{bytes[k * count + i]} << (8 * k);
      if (const auto value = std::bit_cast<float>(bits); value != 0) hit(i, value);
    }
  };
  std::size_t i = begin;
  for (; i + 32 <= end; i += 32) {
    std::uint64_t any[4] = {};
    for (unsigned k = 0; k < 4; ++k) {
      std::uint64_t words[4];
      std::memcpy(words, bytes + k * count + i, sizeof words);
      for (unsigned j = 0; j < 4; ++j) any[j] |= words[j];
    }
    for (unsigned j = 0; j < 4; ++j)
      if (any[j] != 0) look(i + 8 * j, i + 8 * j + 8);
  }
  look(i, end);
}

}  // namespace

struct DenseDataset::Chunk {
  std::vector<hsize_t> offset;
  std::vector<std::uint8_t> bytes;
  unsigned skipped_filters = 0;
  bool written = true;  // false: all cells have the fill value
};

// Hits of consecutive rows, one row after another.
struct DenseDataset::RowHits {
  std::vector<std::uint32_t> cells;
  std::vector<float> energies_mev;
  std::vector<std::size_t> end;  // by row

  std::size_t begin_of(std::size_t row) const { return row == 0 ? 0 : end[row - 1]; }

  // Sorts the hits of each row by cell, unless they are sorted already.
  void sort_rows() {
    std::vector<std::uint64_t> keys;
    for (std::size_t row = 0; row < end.size(); ++row) {
      const std::size_t first = begin_of(row), last = end[row];
      if (std::is_sorted(cells.begin() + static_cast<std::ptrdiff_t>(first),
                         cells.begin() + static_cast<std::ptrdiff_t>(last)))
        continue;
      keys.clear();
      for (std::size_t i = first; i < last; ++i)
        keys.push_back(std::uint64_t{cells[i]} << 32 | std::bit_cast<std::uint32_t>(energies_mev[i]));
      std::sort(keys.begin(), keys.end());
      for (std::size_t i = first; i < last; ++i) {
        cells[i] = static_cast<std::uint32_t>(keys[i - first] >> 32);
        energies_mev[i] = std::bit_cast<float>(static_cast<std::uint32_t>(keys[i - first]));
      }
    }
  }
};

DenseDataset::DenseDataset(const hdf5::File& file, std::string name, std::vector<std::uint32_t> cell_of)
    : file_(file),
      name_(std::move(name)),
      dataset_(file.checked_dataset(name_)),
      shape_(file.shape(name_)),
      cell_of_(std::move(cell_of)) {
  if (shape_.size() < 2)
    file.fail_reading(
        name_, fmt::format("has {} dimensions, but showers are [N, cells] or [N, r, phi, z]", shape_.size()));
  const hdf5::Handle type(H5Dget_type(dataset_), H5Tclose);
  if (H5Tget_class(type) != H5T_FLOAT)
    file.fail_reading(name_, fmt::format("contains {}, but cells are floating-point numbers in MeV",
                                         hdf5::describe_type(type)));
  std::uint64_t cells = 1;
  for (std::size_t i = 1; i < shape_.size(); ++i) {
    if (shape_[i] == 0 || shape_[i] >= kMaxCells || (cells *= shape_[i]) >= kMaxCells)
      file.fail_reading(name_, fmt::format("has an impossible shape: dimension {} is {}", i, shape_[i]));
  }
  if (shape_[0] >= kMaxRows) file.fail_reading(name_, "declares an impossible number of showers");
  rows_ = static_cast<std::int64_t>(shape_[0]);
  cells_ = static_cast<std::int64_t>(cells);
  plan_chunks(type);
}

// Checks the size of chunks without filters, which follows from their shape. HDF5 takes it from the file's
// index, and would read past the end of a chunk that is smaller.
void DenseDataset::check_plain_chunks(hid_t type) const {
  const hdf5::Handle space(H5Dget_space(dataset_), H5Sclose);
  hsize_t chunks = 0, bytes = H5Tget_size(type);
  if (H5Dget_num_chunks(dataset_, space, &chunks) < 0) file_.fail_hdf5(name_, "its chunks cannot be counted");
  for (const hsize_t extent : chunk_) bytes *= extent;
  if (const hsize_t stored = H5Dget_storage_size(dataset_); stored != chunks * bytes)
    file_.fail_reading(name_, fmt::format("its {} chunks have {} bytes instead of {}: the file is damaged",
                                          chunks, stored, chunks * bytes));
}

// Decides whether chunks can be fetched raw, and which filters to undo then.
void DenseDataset::plan_chunks(hid_t type) {
  const hdf5::Handle properties(H5Dget_create_plist(dataset_), H5Pclose);
  if (H5Pget_layout(properties) != H5D_CHUNKED) return;
  chunk_.resize(shape_.size());
  H5Pget_chunk(properties, static_cast<int>(chunk_.size()), chunk_.data());
  rows_per_band_ = static_cast<std::int64_t>(std::min(chunk_[0], std::max<hsize_t>(1, shape_[0])));
  direct_ = H5Tequal(type, H5T_IEEE_F32LE) > 0;
  // Chunks at the edge may be unfiltered without a mark.
  unsigned options = 0;
  if (H5Pget_chunk_opts(properties, &options) < 0 || options != 0) direct_ = false;
  const int filters = H5Pget_nfilters(properties);
  if (filters <= 0) {
    direct_ = false;
    check_plain_chunks(type);
  }
  for (int i = 0; i < filters; ++i) {
    unsigned flags = 0, value = 0;
    std::size_t values = 1;
    const H5Z_filter_t filter =
        H5Pget_filter2(properties, static_cast<unsigned>(i), &flags, &values, &value, 0, nullptr, nullptr);
    if (filter == H5Z_FILTER_SHUFFLE && i == 0 && values == 1 && value == sizeof(float))
      codec_.shuffle = true;
    else if (filter == H5Z_FILTER_DEFLATE && i == filters - 1)
      codec_.deflate = true;
    else if (filter == hdf5::kLzf && i == filters - 1)
      codec_.lzf = true;
    else
      direct_ = false;
  }
  H5D_fill_value_t defined = H5D_FILL_VALUE_UNDEFINED;
  H5D_fill_time_t time = H5D_FILL_TIME_IFSET;
  if (H5Pfill_value_defined(properties, &defined) < 0 || H5Pget_fill_time(properties, &time) < 0)
    file_.fail_hdf5(name_, "its fill value cannot be determined");
  // Without either, HDF5 does not change the buffer, which is zero here as in h5py.
  if (defined != H5D_FILL_VALUE_UNDEFINED && time != H5D_FILL_TIME_NEVER &&
      H5Pget_fill_value(properties, H5T_NATIVE_FLOAT, &fill_) < 0)
    file_.fail_hdf5(name_, "its fill value cannot be read");
}

void DenseDataset::read(std::int64_t begin, std::int64_t end, std::span<const Conditions> conditions,
                        core::ThreadPool& pool, Showers& out) const {
  if (begin >= end) return;
  const auto parts = direct_ ? read_by_chunks(begin, end, pool) : read_by_hdf5(begin, end, pool);
  std::size_t condition = 0;
  for (const RowHits& part : parts)
    for (std::size_t row = 0; row < part.end.size(); ++row) {
      const std::size_t first = part.begin_of(row), count = part.end[row] - first;
      out.append(conditions[condition++], {part.cells.data() + first, count},
                 {part.energies_mev.data() + first, count});
    }
}

std::vector<DenseDataset::RowHits> DenseDataset::read_by_hdf5(std::int64_t begin, std::int64_t end,
                                                              core::ThreadPool& pool) const {
  const auto rows = static_cast<std::size_t>(end - begin), cells = static_cast<std::size_t>(cells_);
  std::vector<float> dense(rows * cells);
  const hdf5::Handle space(H5Dget_space(dataset_), H5Sclose);
  std::vector<hsize_t> start(shape_.size(), 0);
  std::vector<hsize_t> count = shape_;
  start[0] = static_cast<hsize_t>(begin);
  count[0] = static_cast<hsize_t>(end - begin);
  H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
  const hdf5::Handle memory(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr),
                            H5Sclose);
  if (H5Dread(dataset_, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, dense.data()) < 0)
    file_.fail_hdf5(name_, fmt::format("rows {} to {} cannot be read", begin, end - 1));
  std::vector<RowHits> parts(rows);
  pool.for_each(rows, [&](std::size_t row) {
    RowHits& part = parts[row];
    scan(reinterpret_cast<const std::uint8_t*>(dense.data() + row * cells), 0, cells,
         [&](std::size_t place, float value) {
           part.cells.push_back(cell_of_.empty() ? static_cast<std::uint32_t>(place) : cell_of_[place]);
           part.energies_mev.push_back(value);
         });
    part.end.push_back(part.cells.size());
    part.sort_rows();
  });
  return parts;
}

// The raw chunk; none if it was never written and the fill value is zero.
std::optional<DenseDataset::Chunk> DenseDataset::chunk_at(const std::vector<hsize_t>& offset) const {
  Chunk chunk{.offset = offset};
  hsize_t size = 0;
  chunk.written = H5Dget_chunk_storage_size(dataset_, offset.data(), &size) >= 0 && size > 0;
  if (chunk.written) {
    chunk.bytes.resize(size);
    std::uint32_t mask = 0;
    chunk.written = H5Dread_chunk(dataset_, H5P_DEFAULT, offset.data(), &mask, chunk.bytes.data()) >= 0;
    chunk.skipped_filters = mask;
  }
  if (chunk.written) return chunk;
  // HDF5 reports a chunk that was never written like other failures, with one of these two messages (the
  // second if the chunk is cached).
  const hdf5::Failure failure = hdf5::last_failure(file_.path());
  if (!failure.message.empty() && failure.message != "chunk storage is not allocated" &&
      failure.message != "chunk address isn't defined")
    file_.fail_reading(name_,
                       fmt::format("the chunk at row {} cannot be read: {}", offset[0], failure.message));
  if (fill_ == 0) return std::nullopt;
  return chunk;
}

std::vector<DenseDataset::RowHits> DenseDataset::read_by_chunks(std::int64_t begin, std::int64_t end,
                                                                core::ThreadPool& pool) const {
  const std::size_t rank = shape_.size();
  // Fetch the raw chunks that touch the rows, in the order of the grid; only this thread calls HDF5. A band
  // is the chunks with the same rows.
  std::vector<Chunk> chunks;
  std::vector<std::size_t> band_begin;
  std::vector<hsize_t> offset(rank, 0);
  const hsize_t first_row = static_cast<hsize_t>(begin) / chunk_[0] * chunk_[0];
  hdf5::CollectedReads reads(file_);
  for (offset[0] = first_row; offset[0] < static_cast<hsize_t>(end);) {
    if (std::all_of(offset.begin() + 1, offset.end(), [](hsize_t o) { return o == 0; }))
      band_begin.push_back(chunks.size());
    if (auto chunk = chunk_at(offset)) chunks.push_back(std::move(*chunk));  // its bytes do not move
    std::size_t axis = rank;
    while (axis-- > 0) {
      offset[axis] += chunk_[axis];
      if (axis == 0 || offset[axis] < shape_[axis]) break;
      offset[axis] = 0;
    }
  }
  band_begin.push_back(chunks.size());
  reads.finish();

  std::vector<RowHits> parts(chunks.size());
  pool.for_each(chunks.size(), [&](std::size_t index) { parts[index] = hits_of(chunks[index], begin, end); });
  std::vector<RowHits> bands(band_begin.size() - 1);
  pool.for_each(bands.size(), [&](std::size_t band) {
    RowHits& out = bands[band];
    if (band_begin[band + 1] - band_begin[band] == 1) {
      out = std::move(parts[band_begin[band]]);
    } else {
      const std::int64_t row = static_cast<std::int64_t>(first_row + band * chunk_[0]);
      const std::int64_t rows =
          std::min(end, row + static_cast<std::int64_t>(chunk_[0])) - std::max(begin, row);
      for (std::size_t i = 0; i < static_cast<std::size_t>(rows); ++i) {
        for (std::size_t part = band_begin[band]; part < band_begin[band + 1]; ++part) {
          const auto from = static_cast<std::ptrdiff_t>(parts[part].begin_of(i));
          const auto to = static_cast<std::ptrdiff_t>(parts[part].end[i]);
          out.cells.insert(out.cells.end(), parts[part].cells.begin() + from, parts[part].cells.begin() + to);
          out.energies_mev.insert(out.energies_mev.end(), parts[part].energies_mev.begin() + from,
                                  parts[part].energies_mev.begin() + to);
        }
        out.end.push_back(out.cells.size());
      }
    }
    out.sort_rows();
  });
  return bands;
}

// Hits of the chunk in the rows [begin, end).
DenseDataset::RowHits DenseDataset::hits_of(const Chunk& chunk, std::int64_t begin, std::int64_t end) const {
  const std::size_t rank = shape_.size();
  std::size_t elements = 1;
  for (const hsize_t extent : chunk_) elements *= extent;
  // Reused from chunk to chunk: allocating fresh memory for each would cost more than expanding it.
  thread_local std::vector<std::uint8_t> bytes;
  bytes.resize(elements * sizeof(float));
  ChunkCodec codec = codec_;
  const unsigned skipped = chunk.skipped_filters;
  if ((skipped & (codec_.shuffle ? 2 : 1)) != 0) codec.deflate = codec.lzf = false;
  if (codec_.shuffle && (skipped & 1) != 0) codec.shuffle = false;
  if (!chunk.written) {
    codec = {};
    for (std::size_t i = 0; i < elements; ++i)
      std::memcpy(bytes.data() + i * sizeof fill_, &fill_, sizeof fill_);
  } else if (!codec.inflate(chunk.bytes, bytes))
    file_.fail_reading(
        name_,
        fmt::format("the chunk at row {} is damaged: its compressed bytes do not expand", chunk.offset[0]));
  // From `axis` on, the chunk's part of a row is contiguous: a run, in the chunk as in the row.
  std::size_t axis = rank - 1;
  while (axis > 1 && chunk_[axis] == shape_[axis]) --axis;
  std::vector<std::size_t> stride(rank, 1);
  for (std::size_t i = rank - 1; i-- > 0;) stride[i] = stride[i + 1] * shape_[i + 1];
  const std::size_t run = chunk_[axis] * stride[axis];
  const std::size_t inside = std::min(chunk_[axis], shape_[axis] - chunk.offset[axis]) * stride[axis];
  std::vector<hsize_t> at(axis, 0);
  RowHits out;
  // Chunks at the edges extend beyond the data.
  for (std::size_t source = 0; source < elements; source += run) {
    const auto row = static_cast<std::int64_t>(chunk.offset[0] + at[0]);
    bool wanted = row >= begin && row < end;
    std::size_t place = chunk.offset[axis] * stride[axis];
    for (std::size_t i = 1; i < axis; ++i) {
      wanted = wanted && chunk.offset[i] + at[i] < shape_[i];
      place += (chunk.offset[i] + at[i]) * stride[i];
    }
    if (wanted) {
      const auto hit = [&](std::size_t i, float value) {
        const std::size_t target = place + (i - source);
        out.cells.push_back(cell_of_.empty() ? static_cast<std::uint32_t>(target) : cell_of_[target]);
        out.energies_mev.push_back(value);
      };
      if (codec.shuffle)
        scan_shuffled(bytes.data(), elements, source, source + inside, hit);
      else
        scan(bytes.data(), source, source + inside, hit);
    }
    bool row_ends = true;
    for (std::size_t i = axis; i-- > 0;) {
      if (++at[i] < chunk_[i]) {
        row_ends = i == 0;
        break;
      }
      at[i] = 0;
    }
    if (row_ends && row >= begin && row < end) out.end.push_back(out.cells.size());
  }
  return out;
}

}  // namespace calo
