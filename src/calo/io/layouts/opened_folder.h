#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "calo/io/layouts/shower_layout.h"

namespace calo::layouts {

/// A file, open, and what its layout found in it.
struct OpenedFile {
  hdf5::File file;
  const ShowerLayout* layout = nullptr;
  Content content{};
};

/// The files that a path to showers stands for.
struct OpenedFolder {
  std::vector<std::unique_ptr<OpenedFile>> files;  ///< in the order of their names; datasets point to them
  std::vector<Remark> notes;
  std::vector<Remark> not_read;
  std::vector<std::filesystem::path> other_files;
};

/// Opens a file or all files of a folder, each in its layout, and sees that no shower is there twice (copies
/// and links of files, links of datasets, virtual datasets beside their sources), that angles are some, and
/// that whatever is not read is told.
/// @throws core::InputError; core::UsageError for ReadOptions::axes
OpenedFolder open_folder(const std::filesystem::path& path, const ReadOptions& options);

}  // namespace calo::layouts
