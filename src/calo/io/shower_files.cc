#include "calo/io/shower_files.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <string_view>

#include "core/error.h"
#include "core/folder_walk.h"
#include "core/hash.h"

namespace calo {
namespace {

namespace fs = std::filesystem;

bool has_hdf5_name(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension == ".h5" || extension == ".hdf5" || extension == ".hdf" || extension == ".he5";
}

// HDF5's signature is at the beginning, or after a user block of 512, 1024, 2048 … bytes.
bool has_hdf5_signature(const fs::path& path) {
  static constexpr char kSignature[] = "\x89HDF\r\n\x1a\n";
  std::ifstream stream(path, std::ios::binary);
  for (const std::streamoff place : {0, 512, 1024, 2048, 4096}) {
    char bytes[8] = {};
    if (!stream.seekg(place).read(bytes, sizeof bytes)) return false;
    if (std::memcmp(bytes, kSignature, sizeof bytes) == 0) return true;
  }
  return false;
}

struct stat status_of(const fs::path& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0)
    throw core::InputError({.message = std::string("cannot be read: ") + std::strerror(errno), .file = path});
  return status;
}

// Hash of the size and samples of a file: cheap for any size, and different for nearly all files.
std::string sample_of(const fs::path& path, std::uint64_t size) {
  constexpr std::uint64_t kPiece = 16384, kPieces = 4;
  std::ifstream stream(path, std::ios::binary);
  std::string bytes = std::to_string(size) + ' ', piece(kPiece, '\0');
  for (std::uint64_t i = 0; i < kPieces; ++i) {
    stream.clear();
    stream.seekg(static_cast<std::streamoff>(size > kPiece ? (size - kPiece) / (kPieces - 1) * i : 0));
    stream.read(piece.data(), static_cast<std::streamsize>(kPiece));
    if (stream.bad() || stream.gcount() == 0)
      throw core::InputError({.message = "cannot be read", .file = path});
    bytes.append(piece, 0, static_cast<std::size_t>(stream.gcount()));
  }
  return core::sha256(bytes);
}

}  // namespace

ShowerFiles shower_files(const fs::path& path, bool tolerant) {
  std::error_code error;
  if (!fs::exists(path, error)) throw core::InputError({.message = "does not exist", .file = path});
  if (!fs::is_directory(path)) return {.files = {path}};
  core::FolderContents contents = core::walk_folder(path);
  ShowerFiles found;
  for (const fs::path& link : contents.dangling) {
    if (!tolerant)
      throw core::InputError({.message = "is a broken link",
                              .file = link,
                              .hint = "its target would be missing: repair it, or delete it"});
    found.not_read.push_back({.file = link, .text = "is a broken link"});
  }
  for (const fs::path& file : contents.files) {
    if (has_hdf5_name(file))
      found.files.push_back(file);
    else if (has_hdf5_signature(file))
      found.not_read.push_back({.file = file, .text = "is HDF5, but its name does not end in .h5 or .hdf5"});
    else
      found.others.push_back(file);
  }
  for (const fs::path& hidden : contents.hidden) {
    if (fs::is_directory(hidden, error) || has_hdf5_name(hidden))
      found.not_read.push_back({.file = hidden, .text = "is hidden (its name starts with a dot)"});
    else
      found.others.push_back(hidden);
  }
  const auto where = [&](const fs::path& same_as) -> std::string {
    const fs::path inside = same_as.lexically_relative(path);
    if (inside == ".") return "is a link to the whole folder";
    if (inside.empty() || *inside.begin() == "..") return "is a link to a parent folder";
    return "is the same folder as " + inside.string();
  };
  for (const auto& [folder, same_as] : contents.repeated)
    found.not_read.push_back({.file = folder, .text = where(same_as)});
  for (const fs::path& special : contents.special)
    found.not_read.push_back({.file = special, .text = "is not a regular file"});
  std::sort(found.not_read.begin(), found.not_read.end(),
            [](const Remark& a, const Remark& b) { return a.file < b.file; });
  std::sort(found.others.begin(), found.others.end());
  if (found.files.empty())
    throw core::InputError({.message = found.not_read.empty() ? "is a folder without HDF5 files"
                                                              : "is a folder without readable HDF5 files; " +
                                                                    found.not_read[0].to_string(),
                            .file = path,
                            .hint = "expected files that end in .h5 or .hdf5"});
  return found;
}

std::vector<std::optional<Twin>> find_twins(const std::vector<fs::path>& files) {
  std::vector<std::optional<Twin>> twins(files.size());
  std::map<std::pair<dev_t, ino_t>, std::size_t> by_id;
  std::map<off_t, std::vector<std::size_t>> by_size;
  // A file's own name comes before links to it.
  for (const bool links : {false, true})
    for (std::size_t i = 0; i < files.size(); ++i) {
      if (fs::is_symlink(files[i]) != links) continue;
      const struct stat status = status_of(files[i]);
      const auto [first, fresh] = by_id.try_emplace({status.st_dev, status.st_ino}, i);
      if (fresh)
        by_size[status.st_size].push_back(i);
      else
        twins[i] = Twin{.first = first->second, .same_file = true};
    }
  for (auto& [size, alike] : by_size) {
    if (alike.size() < 2 || size == 0) continue;
    std::sort(alike.begin(), alike.end());
    std::map<std::string, std::vector<std::size_t>> by_sample;
    for (const std::size_t i : alike)
      by_sample[sample_of(files[i], static_cast<std::uint64_t>(size))].push_back(i);
    for (const auto& [sample, candidates] : by_sample) {
      if (candidates.size() < 2) continue;
      std::map<std::string, std::size_t> by_content;
      for (const std::size_t i : candidates)
        if (const auto [first, fresh] = by_content.try_emplace(core::sha256_of_path(files[i]), i); !fresh)
          twins[i] = Twin{.first = first->second};
    }
  }
  return twins;
}

}  // namespace calo
