#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "calo/io/remark.h"

namespace calo {

/// Files found at a path of showers.
struct ShowerFiles {
  std::vector<std::filesystem::path> files;  ///< files to read, sorted
  /// Items that are not read though they may contain showers: hidden folders and files, HDF5 under other
  /// names, links to folders that are read under their own name.
  std::vector<Remark> not_read;
  std::vector<std::filesystem::path> others;  ///< files that are not HDF5
};

/// A file path gives itself, a folder all files below it with a name of HDF5 (.h5, .hdf5, .hdf, .he5, in any
/// case), including links to files and folders.
/// @param tolerant  a broken link is a remark instead of an error
/// @throws core::InputError if the path does not exist, a folder cannot be listed or has no HDF5 files, or a
///         link is broken
ShowerFiles shower_files(const std::filesystem::path& path, bool tolerant);

/// Repetition of another file.
struct Twin {
  std::size_t first = 0;   ///< index of the other file, which is not a repetition itself
  bool same_file = false;  ///< true for a link, false for a copy
};

/// For each file, another one that is the same file or has equal content. Contents are compared only if
/// the sizes are equal, and completely only if samples are equal.
/// @throws core::InputError if a file cannot be read
std::vector<std::optional<Twin>> find_twins(const std::vector<std::filesystem::path>& files);

}  // namespace calo
