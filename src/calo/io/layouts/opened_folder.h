#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "calo/io/layouts/shower_layout.h"

namespace calo::layouts {

/// An open file, and the contents that its layout found in it.
struct OpenedFile {
  hdf5::File file;
  const ShowerLayout* layout = nullptr;
  Content content{};
};

/// All files at a path of showers.
struct OpenedFolder {
  std::vector<std::unique_ptr<OpenedFile>> files;  ///< in the order of their names; datasets point to them
  std::vector<Remark> notes;
  std::vector<Remark> not_read;
  std::vector<std::filesystem::path> other_files;
};

/// Opens a file or all files of a folder, each in its layout. Checks that no shower is read twice (copies and
/// links of files, links of datasets, virtual datasets beside their sources) and that angles are valid.
/// Remarks name everything that is not read.
/// @throws core::InputError; core::UsageError for ReadOptions::axes
OpenedFolder open_folder(const std::filesystem::path& path, const ReadOptions& options);

}  // namespace calo::layouts
