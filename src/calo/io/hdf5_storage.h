#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "calo/io/hdf5.h"

namespace calo::hdf5 {

/// Checks, without reading its elements, that a dataset can be read to its end: its filters are here; its
/// external files and the sources of a virtual dataset are there and large enough, theirs too, and no virtual
/// dataset takes from itself; and what it declares can come from what is stored (no bombs). HDF5 itself reads
/// a missing source as fill values, without a word. Warns of rows that come from no source: they hold the
/// fill value.
/// @param constant  whether a dataset that was never written is meant so where the file sets a fill value
/// @returns the source files, open: HDF5 finds them as long as they are
/// @throws core::InputError naming the file, the dataset and what is missing
std::vector<Handle> check_storage(const std::filesystem::path& file, const std::string& name, hid_t dataset,
                                  bool constant);

}  // namespace calo::hdf5
