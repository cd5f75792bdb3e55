#pragma once

#include <filesystem>
#include <vector>

namespace core {

struct FolderWalkOptions {
  /// Whether folders whose names start with a dot are entered; such files are never taken.
  bool enter_hidden_folders = false;
};

/// What lies below a folder, each list sorted. All paths start with the folder's own.
struct FolderContents {
  /// A folder that was not entered, as it is another one that was, or holds the root.
  struct Repeated {
    std::filesystem::path folder;
    std::filesystem::path same_as;
  };

  std::vector<std::filesystem::path> files;     ///< regular files, and links to some
  std::vector<std::filesystem::path> hidden;    ///< files and folders that were passed over for their dot
  std::vector<Repeated> repeated;               ///< links to folders that were entered elsewhere
  std::vector<std::filesystem::path> dangling;  ///< links that lead nowhere
  std::vector<std::filesystem::path> special;   ///< pipes, sockets, devices
};

/// Lists a folder and all below it. Links are followed; a folder is entered once, under its own name rather
/// than a link's, so that loops end and nothing is met twice.
/// @throws InputError naming a folder that cannot be listed
FolderContents walk_folder(const std::filesystem::path& root, const FolderWalkOptions& options = {});

}  // namespace core
