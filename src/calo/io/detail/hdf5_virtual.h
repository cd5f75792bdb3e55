#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "calo/io/hdf5.h"

namespace calo::hdf5 {

/// A source of a virtual dataset, and the elements that come from it.
struct VirtualSource {
  std::string file;          ///< name in the virtual dataset; "." is the virtual dataset's own file
  std::string dataset;       ///< path from the root
  Handle cells;              ///< dataspace that selects the source's elements
  std::uint64_t wanted = 0;  ///< number of elements of the virtual dataset that come from it

  /// Number of elements that a source of this shape has: fewer than wanted if it is too small.
  std::uint64_t given(const std::vector<hsize_t>& shape) const;
};

/// Sources whose names are numbered from 0 (`part%b.h5`), up to the first that is missing.
struct NumberedSources {
  std::string file;  ///< pattern, like `dataset`
  std::string dataset;
  std::uint64_t count = 0;

  std::string file_of(std::uint64_t number) const;
  std::string dataset_of(std::uint64_t number) const;
};

/// Sources of a virtual dataset.
struct VirtualSources {
  std::vector<VirtualSource> sources;
  std::vector<NumberedSources> numbered;  ///< their `count` sources are also in `sources`
  /// First and last row with an element that has no source.
  std::optional<std::pair<std::uint64_t, std::uint64_t>> gap;
};

/// Reads the mappings of a virtual dataset. @throws std::runtime_error if HDF5 cannot determine them
VirtualSources virtual_sources(hid_t dataset);

/// Paths at which HDF5 looks for a source's file, in its order: the name itself, under HDF5_VDS_PREFIX,
/// beside the virtual dataset's file, in the current folder.
std::vector<std::filesystem::path> source_places(hid_t dataset, const std::filesystem::path& virtual_file,
                                                 const std::string& source);

/// Dimensions of a dataset or dataspace that is simple; empty for others.
std::vector<hsize_t> dimensions_of_space(hid_t space);
std::vector<hsize_t> dimensions_of(hid_t dataset);

}  // namespace calo::hdf5
