#include "core/folder_walk.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include "core/error.h"

namespace core {
namespace {

namespace fs = std::filesystem;

using FileId = std::pair<dev_t, ino_t>;

// Follows links. @throws InputError
FileId id_of(const fs::path& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0)
    throw InputError({.message = "cannot be examined: " + std::string(std::strerror(errno)), .file = path});
  return {status.st_dev, status.st_ino};
}

class Walk {
 public:
  Walk(const fs::path& root, const FolderWalkOptions& options) : options_(options) {
    // A link to a parent of the root would add everything else in that parent.
    std::error_code error;
    for (fs::path above = fs::canonical(root, error); !error && above.has_relative_path();) {
      above = above.parent_path();
      around_.emplace(id_of(above), above);
    }
    enter(root);
    while (!links_.empty()) {
      const fs::path link = *links_.begin();
      links_.erase(links_.begin());
      const FileId id = id_of(link);
      if (const auto around = around_.find(id); around != around_.end())
        contents_.repeated.push_back({link, around->second});
      else
        enter(link);
    }
    std::sort(contents_.files.begin(), contents_.files.end());
    std::sort(contents_.hidden.begin(), contents_.hidden.end());
    std::sort(contents_.repeated.begin(), contents_.repeated.end(),
              [](const auto& a, const auto& b) { return a.folder < b.folder; });
    std::sort(contents_.dangling.begin(), contents_.dangling.end());
    std::sort(contents_.special.begin(), contents_.special.end());
  }

  FolderContents result() { return std::move(contents_); }

 private:
  void enter(const fs::path& folder) {
    const auto [first, fresh] = entered_.try_emplace(id_of(folder), folder);
    if (!fresh) {
      contents_.repeated.push_back({folder, first->second});
      return;
    }
    std::error_code error;
    std::vector<fs::directory_entry> entries;
    for (auto it = fs::directory_iterator(folder, error); !error && it != fs::directory_iterator();
         it.increment(error))
      entries.push_back(*it);
    if (error)
      throw InputError({.message = "cannot be listed: " + error.message(),
                        .file = folder,
                        .hint = "its contents would be missing: allow reading, or move it away"});
    std::sort(entries.begin(), entries.end());
    for (const fs::directory_entry& entry : entries) look_at(entry);
  }

  void look_at(const fs::directory_entry& entry) {
    const fs::path& path = entry.path();
    std::error_code error;
    const bool is_hidden = path.filename().string().starts_with('.');
    const fs::file_status status = entry.status(error);  // status of the link's target
    if (is_hidden && !(options_.enter_hidden_folders && fs::is_directory(status)))
      contents_.hidden.push_back(path);
    else if (entry.is_symlink(error) && (!fs::status_known(status) || !fs::exists(status)))
      contents_.dangling.push_back(path);
    else if (!fs::status_known(status))
      throw InputError({.message = "cannot be examined: permission denied", .file = path});
    else if (fs::is_directory(status) && entry.is_symlink(error))
      links_.insert(path);
    else if (fs::is_directory(status))
      enter(path);
    else if (fs::is_regular_file(status))
      contents_.files.push_back(path);
    else
      contents_.special.push_back(path);
  }

  FolderWalkOptions options_;
  std::map<FileId, fs::path> entered_, around_;
  std::set<fs::path> links_;  // links to folders, entered after all real files and folders
  FolderContents contents_;
};

}  // namespace

FolderContents walk_folder(const fs::path& root, const FolderWalkOptions& options) {
  return Walk(root, options).result();
}

}  // namespace core
