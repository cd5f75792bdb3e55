#pragma once

#include <hdf5.h>

#include <cstdint>
#include <string>

namespace calo::hdf5 {

/// LZF, which h5py writes as `compression="lzf"`.
constexpr H5Z_filter_t kLzf = 32000;

/// Teaches HDF5 to expand lzf; the other filters are its own, or plug-ins. Once is enough.
void register_filters();

/// "zstd, filter 32015".
/// @param stored_name  the name that the file gives, for numbers that are not known here
std::string filter_name(H5Z_filter_t filter, const std::string& stored_name = "");

/// The first filter of a dataset that cannot be undone here, as filter_name() gives it; empty if there is
/// none. A filter that was optional to write and was left out in the first chunk counts as none.
std::string missing_filter(hid_t dataset, hid_t properties);

/// How many times larger than its stored bytes a dataset with these filters can be.
std::uint64_t most_shrunk(hid_t properties);

}  // namespace calo::hdf5
