#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "calo/io/hdf5.h"

namespace calo::hdf5 {

/// One source of a virtual dataset, and what it gives.
struct VirtualSource {
  std::string file;          ///< as the virtual dataset names it; "." is its own
  std::string dataset;       ///< path from the root
  Handle cells;              ///< dataspace whose selection are the source's elements
  std::uint64_t wanted = 0;  ///< elements of the virtual dataset that come from it

  /// Elements that a source of this shape gives: fewer than wanted where it is too small.
  std::uint64_t given(const std::vector<hsize_t>& shape) const;
};

/// Sources whose names are numbered from 0 (`part%b.h5`): as many as there are, up to the first that is
/// missing.
struct NumberedSources {
  std::string file;  ///< patterns
  std::string dataset;
  std::uint64_t count = 0;

  std::string file_of(std::uint64_t number) const;
  std::string dataset_of(std::uint64_t number) const;
};

/// What a virtual dataset is put together from.
struct VirtualSources {
  std::vector<VirtualSource> sources;
  std::vector<NumberedSources> numbered;  ///< already among the sources, up to their count
  /// First and last row of which an element comes from no source.
  std::optional<std::pair<std::uint64_t, std::uint64_t>> gap;
};

/// Takes the mappings of a virtual dataset apart. @throws std::runtime_error where HDF5 cannot tell them
VirtualSources virtual_sources(hid_t dataset);

/// Where HDF5 looks for a source's file, in its order: as it is named, under HDF5_VDS_PREFIX, beside the
/// virtual dataset's file, in the current folder.
std::vector<std::filesystem::path> source_places(hid_t dataset, const std::filesystem::path& virtual_file,
                                                 const std::string& source);

/// Dimensions of a dataset or dataspace that is simple; none for others.
std::vector<hsize_t> dimensions_of_space(hid_t space);
std::vector<hsize_t> dimensions_of(hid_t dataset);

}  // namespace calo::hdf5
