#include "calo/io/chunk_stream.h"

#include <algorithm>

namespace calo {

ChunkStream::ChunkStream(hdf5::File& file, std::string name, const Options& options, core::ThreadPool& pool)
    : file_(file), name_(std::move(name)), pool_(pool), options_(options) {
  codec_.element_size = static_cast<unsigned>(H5Tget_size(options.type));
  row_bytes_ = codec_.element_size;
  std::vector<hsize_t> shape = {0}, limit = {H5S_UNLIMITED}, chunk = {options.rows_per_chunk};
  for (const hsize_t extent : options.row_shape) {
    row_bytes_ *= extent;
    for (auto* dimensions : {&shape, &limit, &chunk}) dimensions->push_back(extent);
  }
  chunk_bytes_ = row_bytes_ * options.rows_per_chunk;
  const hdf5::Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), limit.data()),
                           H5Sclose);
  const hdf5::Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_chunk(properties, static_cast<int>(chunk.size()), chunk.data());
  H5Pset_shuffle(properties);
  H5Pset_deflate(properties, static_cast<unsigned>(std::clamp(options.compression, 0, 9)));
  H5Pset_obj_track_times(properties, false);
  dataset_ = hdf5::Handle(
      H5Dcreate2(file.id(), name_.c_str(), options.type, space, H5P_DEFAULT, properties, H5P_DEFAULT),
      H5Dclose);
  if (!dataset_.valid()) file.fail_writing(name_, "cannot be created: " + hdf5::last_error());
}

void ChunkStream::append(std::span<const std::uint8_t> rows) {
  pending_.insert(pending_.end(), rows.begin(), rows.end());
  // A few chunks for each thread at a time.
  const std::size_t ready = pending_.size() / chunk_bytes_;
  if (ready >= 2 * static_cast<std::size_t>(pool_.size())) write_chunks(ready);
}

void ChunkStream::finish() {
  write_chunks(pending_.size() / chunk_bytes_);
  if (!pending_.empty()) write_rest();
  // HDF5 completes a file only when all of its objects are closed.
  dataset_ = hdf5::Handle();
}

void ChunkStream::write_rest() {
  const hsize_t rows = pending_.size() / row_bytes_;
  pending_.resize(chunk_bytes_);
  write_chunks(1);
  rows_ += rows - options_.rows_per_chunk;
  std::vector<hsize_t> shape = {rows_};
  shape.insert(shape.end(), options_.row_shape.begin(), options_.row_shape.end());
  if (H5Dset_extent(dataset_, shape.data()) < 0)
    file_.fail_writing(name_, "cannot be resized: " + hdf5::last_error());
}

void ChunkStream::write_chunks(std::size_t count) {
  if (count == 0) return;
  std::vector<std::vector<std::uint8_t>> encoded(count);
  pool_.for_each(count, [&](std::size_t i) {
    encoded[i] = codec_.encode({pending_.data() + i * chunk_bytes_, chunk_bytes_}, options_.compression);
  });
  std::vector<hsize_t> shape = {rows_ + count * options_.rows_per_chunk};
  shape.insert(shape.end(), options_.row_shape.begin(), options_.row_shape.end());
  if (H5Dset_extent(dataset_, shape.data()) < 0)
    file_.fail_writing(name_, "cannot be extended: " + hdf5::last_error());
  std::vector<hsize_t> offset(shape.size(), 0);
  for (const auto& bytes : encoded) {
    offset[0] = rows_;
    if (H5Dwrite_chunk(dataset_, H5P_DEFAULT, 0, offset.data(), bytes.size(), bytes.data()) < 0)
      file_.fail_writing(name_, "cannot be written: " + hdf5::last_error());
    rows_ += options_.rows_per_chunk;
  }
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(count * chunk_bytes_));
}

}  // namespace calo
