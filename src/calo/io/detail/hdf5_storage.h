#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "calo/io/hdf5.h"

namespace calo::hdf5 {

/// Checks, without reading its elements, that a dataset can be read to its end: its filters are available;
/// its external files and the sources of a virtual dataset exist and are large enough, recursively; no
/// virtual dataset refers to itself; and its declared size is possible for the stored bytes, so that a small
/// file cannot exhaust the memory. HDF5 itself reads a missing source as fill values without an error. Warns
/// of rows that have no source: they have the fill value.
/// @param constant  accept a dataset that was never written if the file sets its fill value
/// @returns the open source files: HDF5 finds them while they are open
/// @throws core::InputError with the file, the dataset and what is missing
std::vector<Handle> check_storage(const std::filesystem::path& file, const std::string& name, hid_t dataset,
                                  bool constant);

}  // namespace calo::hdf5
