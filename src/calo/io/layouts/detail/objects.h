#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "calo/io/hdf5.h"

namespace calo::layouts {

/// An object of a file's root group, or a dataset in a group below it.
struct Object {
  std::string name;  ///< "64", "group/64"
  enum class Kind { kDataset, kGroup, kOther, kBroken } kind = Kind::kOther;
  std::vector<hsize_t> shape;  ///< shape of a dataset

  /// "is a dataset of 6 x 3", "is a group of 2 objects", "is a broken link".
  std::string to_string() const;
  /// True if it may contain showers with this number of cells, one per row.
  bool looks_like_showers(std::uint64_t cells) const;
};

/// Objects of the root group, by name, without those in `used`. The datasets in a group follow the group.
std::vector<Object> objects_beside(const hdf5::File& file, const std::vector<std::string>& used);

/// Identity of a dataset, independent of links and files that lead to it; valid while its file is open.
using ObjectId = std::pair<std::uint64_t, std::uint64_t>;
std::optional<ObjectId> id_of(const hdf5::File& file, const std::string& dataset);

/// Files that a virtual dataset gathers, as they are named in it ("." = its own file); empty for other
/// datasets.
std::vector<std::string> virtual_sources(const hdf5::File& file, const std::string& dataset);

}  // namespace calo::layouts
