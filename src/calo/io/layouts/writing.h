#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "calo/io/chunk_stream.h"
#include "calo/io/hdf5.h"
#include "calo/io/shower_writer.h"

// Functions that the writers of several layouts share.
namespace calo::layouts {

template <class T>
std::span<const std::uint8_t> bytes_of(std::span<const T> values) {
  return {reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes()};
}
template <class T>
std::span<const std::uint8_t> bytes_of(const std::vector<T>& values) {
  return bytes_of(std::span<const T>(values));
}

/// Extents [r, phi, z] of a regular mesh. @throws core::UsageError for another mesh
std::vector<hsize_t> cube(const VoxelMesh& mesh);

/// Storage options for cells, one shower per row of this shape.
ChunkStream::Options dense_options(const WriteOptions& options, std::vector<hsize_t> row_shape);

/// Storage options for a column with one entry per shower.
ChunkStream::Options column_options(hid_t type, int compression, std::vector<hsize_t> row_shape = {});

/// Writes a whole column with these options.
void write_column(hdf5::File& file, const std::string& name, const ChunkStream::Options& options,
                  std::span<const std::uint8_t> bytes, core::ThreadPool& pool);

/// Writes the attributes of every file: provenance, geometry (unless it is empty), its mesh, and those of the
/// options.
void describe(hdf5::File& file, const WriteOptions& options, const std::string& geometry);

/// True if the time of any shower is known.
bool any_known(const std::vector<float>& sim_time_s);

/// Geometry of a file that can have only one.
class OneGeometry {
 public:
  /// @throws core::UsageError if the geometry of showers differs from that of earlier ones
  void check(const Showers& showers, Layout layout);
  std::string name() const { return name_.value_or(""); }

 private:
  std::optional<std::string> name_;
};

}  // namespace calo::layouts
