#include "calo/io/detail/hdf5_filters.h"

#include <fmt/format.h>
#include <lzf.h>

#include <algorithm>
#include <array>
#include <map>

#include "calo/io/hdf5.h"

namespace calo::hdf5 {
namespace {

// LZF's longest copy expands three bytes to 264.
constexpr std::size_t kMostOfLzf = 88;

// Stores data that do not shrink as they are: HDF5 omits an optional filter for a chunk if it returns 0.
std::size_t shrink_lzf(std::size_t bytes, std::size_t* buffer_bytes, void** buffer) {
  void* out = H5allocate_memory(bytes, false);
  if (out == nullptr) return 0;
  const std::size_t size =
      lzf_compress(*buffer, static_cast<unsigned>(bytes), out, static_cast<unsigned>(bytes - 1));
  if (size == 0) {
    H5free_memory(out);
    return 0;
  }
  H5free_memory(*buffer);
  *buffer = out;
  *buffer_bytes = bytes;
  return size;
}

// Interface of H5Z_class2_t: replaces `*buffer`, and returns the new number of bytes, or 0 on failure.
std::size_t filter_lzf(unsigned flags, std::size_t num_values, const unsigned values[], std::size_t bytes,
                       std::size_t* buffer_bytes, void** buffer) {
  if (bytes == 0 || bytes > UINT32_MAX) return 0;
  if ((flags & H5Z_FLAG_REVERSE) == 0) return shrink_lzf(bytes, buffer_bytes, buffer);
  // h5py notes the size of a chunk. Other writers may not, and an earlier filter may change the size.
  const std::size_t noted = num_values > 2 ? values[2] : 0;
  const std::size_t most = std::min<std::size_t>(bytes * kMostOfLzf, UINT32_MAX);
  for (std::size_t room = std::min(most, noted > 0 ? noted : 4 * bytes);; room = std::min(most, 2 * room)) {
    void* out = H5allocate_memory(room, false);
    if (out == nullptr) return 0;
    const std::size_t size =
        lzf_decompress(*buffer, static_cast<unsigned>(bytes), out, static_cast<unsigned>(room));
    if (size > 0) {
      H5free_memory(*buffer);
      *buffer = out;
      *buffer_bytes = room;
      return size;
    }
    H5free_memory(out);
    if (room == most) return 0;
  }
}

struct Filter {
  H5Z_filter_t filter = 0;
  unsigned flags = 0;
  std::string name;
};

Filter filter_at(hid_t properties, unsigned index) {
  Filter filter;
  std::size_t values = 0;
  std::array<char, 64> name{};
  filter.filter = H5Pget_filter2(properties, index, &filter.flags, &values, nullptr, name.size() - 1,
                                 name.data(), nullptr);
  filter.name = name.data();
  return filter;
}

bool can_undo(H5Z_filter_t filter) {
  unsigned config = 0;
  const bool can = H5Zfilter_avail(filter) > 0 && H5Zget_filter_info(filter, &config) >= 0 &&
                   (config & H5Z_FILTER_CONFIG_DECODE_ENABLED) != 0;
  H5Eclear2(H5E_DEFAULT);
  return can;
}

bool first_chunk_leaves_out(hid_t dataset, unsigned index) {
  const Handle space(H5Dget_space(dataset), H5Sclose);
  std::array<hsize_t, H5S_MAX_RANK> offset{};
  unsigned mask = 0;
  haddr_t address = 0;
  hsize_t size = 0;
  const bool known = H5Dget_chunk_info(dataset, space, 0, offset.data(), &mask, &address, &size) >= 0;
  H5Eclear2(H5E_DEFAULT);
  return !known || (mask & (1u << index)) != 0;
}

}  // namespace

void register_filters() {
  const H5Z_class2_t lzf = {H5Z_CLASS_T_VERS, kLzf, 1, 1, "lzf", nullptr, nullptr, filter_lzf};
  H5Zregister(&lzf);
}

std::string filter_name(H5Z_filter_t filter, const std::string& stored_name) {
  static const std::map<H5Z_filter_t, const char*> names = {
      {H5Z_FILTER_DEFLATE, "gzip"},
      {H5Z_FILTER_SHUFFLE, "shuffle"},
      {H5Z_FILTER_FLETCHER32, "fletcher32"},
      {H5Z_FILTER_SZIP, "szip"},
      {H5Z_FILTER_NBIT, "nbit"},
      {H5Z_FILTER_SCALEOFFSET, "scaleoffset"},
      {305, "lzo"},
      {307, "bzip2"},
      {kLzf, "lzf"},
      {32001, "blosc"},
      {32002, "mafisc"},
      {32003, "snappy"},
      {32004, "lz4"},
      {32006, "cbf"},
      {32007, "jpeg-xr"},
      {32008, "bitshuffle"},
      {32009, "spdp"},
      {32010, "lpc-rice"},
      {32011, "ccsds-123"},
      {32012, "jpeg-ls"},
      {32013, "zfp"},
      {32014, "fpzip"},
      {32015, "zstd"},
      {32016, "b3d"},
      {32017, "sz"},
      {32018, "fci-decomp"},
      {32019, "jpeg"},
      {32022, "bitgroom"},
      {32023, "granular bitround"},
      {32024, "sz3"},
      {32026, "blosc2"},
      {32028, "sperr"},
  };
  const auto known = names.find(filter);
  const std::string name = known != names.end() ? known->second : stored_name;
  return name.empty() ? fmt::format("filter {}", filter) : fmt::format("{}, filter {}", name, filter);
}

std::string missing_filter(hid_t dataset, hid_t properties) {
  const int count = H5Pget_nfilters(properties);
  for (int i = 0; i < count; ++i) {
    const auto index = static_cast<unsigned>(i);
    const Filter filter = filter_at(properties, index);
    if (filter.filter < 0 || can_undo(filter.filter)) continue;
    if ((filter.flags & H5Z_FLAG_OPTIONAL) != 0 && first_chunk_leaves_out(dataset, index)) continue;
    return filter_name(filter.filter, filter.name);
  }
  return "";
}

std::uint64_t most_shrunk(hid_t properties) {
  constexpr std::uint64_t kDeflate = 1100;    // 1032 : 1, with a margin for the last chunk
  constexpr std::uint64_t kOthers = 1 << 20;  // such as zstd on zeros
  const int count = H5Pget_nfilters(properties);
  for (int i = 0; i < count; ++i) switch (filter_at(properties, static_cast<unsigned>(i)).filter) {
      case H5Z_FILTER_DEFLATE:
      case H5Z_FILTER_SHUFFLE:
      case H5Z_FILTER_FLETCHER32:
      case kLzf:
        break;
      default:
        return kOthers;
    }
  return kDeflate;
}

}  // namespace calo::hdf5
