#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "calo/io/remark.h"

namespace calo {

/// What a path to showers stands for.
struct ShowerFiles {
  std::vector<std::filesystem::path> files;  ///< to be read, sorted
  /// What is not read though it might hold showers: hidden folders and files, HDF5 under other names, links
  /// to folders that are read under their own name.
  std::vector<Remark> not_read;
  std::vector<std::filesystem::path> others;  ///< files that are no HDF5
};

/// A file stands for itself, a folder for all files below it that are named as HDF5 (.h5, .hdf5, .hdf, .he5,
/// in any case), links to files and folders included.
/// @param tolerant  a link that leads nowhere is a remark
/// @throws core::InputError if the path does not exist, a folder cannot be listed or has no HDF5 files, a
///         link leads nowhere
ShowerFiles shower_files(const std::filesystem::path& path, bool tolerant);

/// A file that is given twice.
struct Twin {
  std::size_t first = 0;   ///< place of the other, which is no twin itself
  bool same_file = false;  ///< a link to it, not a copy
};

/// For each file, another that is the same file or has equal content. Content is compared where the
/// sizes are equal, and wholly only where samples of it are.
/// @throws core::InputError if a file cannot be read
std::vector<std::optional<Twin>> find_twins(const std::vector<std::filesystem::path>& files);

}  // namespace calo
