#pragma once

#include <hdf5.h>

#include <cstdint>
#include <string>

namespace calo::hdf5 {

/// Filter LZF, which h5py writes for `compression="lzf"`.
constexpr H5Z_filter_t kLzf = 32000;

/// Registers lzf with HDF5; the other filters are built into HDF5, or plug-ins. One call is enough.
void register_filters();

/// Name of a filter: "zstd, filter 32015".
/// @param stored_name  name in the file, for filters that are not known here
std::string filter_name(H5Z_filter_t filter, const std::string& stored_name = "");

/// First filter of a dataset that cannot be undone here, as filter_name() gives it; empty if there is none.
/// An optional filter that was not applied to the first chunk does not count.
std::string missing_filter(hid_t dataset, hid_t properties);

/// Largest possible ratio of a dataset's size to its stored bytes with these filters.
std::uint64_t most_shrunk(hid_t properties);

}  // namespace calo::hdf5
