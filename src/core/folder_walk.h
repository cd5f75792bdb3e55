#pragma once

#include <filesystem>
#include <vector>

namespace core {

struct FolderWalkOptions {
  /// Enter folders whose names start with a dot. Files with such names are never listed.
  bool enter_hidden_folders = false;
};

/// Contents of a folder and its subfolders, each list sorted. All paths start with the path of the folder
/// itself.
struct FolderContents {
  /// A folder that was not entered because it was entered under another name or contains the root.
  struct Repeated {
    std::filesystem::path folder;
    std::filesystem::path same_as;
  };

  std::vector<std::filesystem::path> files;  ///< regular files, and links to regular files
  std::vector<std::filesystem::path>
      hidden;  ///< files and folders that were skipped because their names start with a dot
  std::vector<Repeated> repeated;               ///< links to folders that were entered elsewhere
  std::vector<std::filesystem::path> dangling;  ///< links without a target
  std::vector<std::filesystem::path> special;   ///< pipes, sockets, devices
};

/// Lists a folder and everything below it. Links are followed. Each folder is entered once, preferably under
/// its own name rather than through a link, so that cycles end and nothing is listed twice.
/// @throws InputError naming a folder that cannot be listed
FolderContents walk_folder(const std::filesystem::path& root, const FolderWalkOptions& options = {});

}  // namespace core
