#include "calo/io/shower_files.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <span>
#include <string_view>

#include "core/error.h"
#include "core/folder_walk.h"
#include "core/hash.h"
#include "core/remote.h"

namespace calo {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHidden = "is hidden (its name starts with a dot)";
constexpr const char* kOtherName = "is HDF5, but its name does not end in .h5 or .hdf5";

bool has_hdf5_name(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension == ".h5" || extension == ".hdf5" || extension == ".hdf" || extension == ".he5";
}

// Bytes of a local file, or of one at a URL.
class Source {
 public:
  explicit Source(const fs::path& path) {
    if (core::is_url(path))
      remote_ = core::remote_storage().open(path);
    else
      local_.open(path, std::ios::binary);
  }

  // Fewer bytes at the end of the file, and none if it cannot be read.
  std::string read(std::uint64_t offset, std::uint64_t size) const {
    if (remote_) size = offset < remote_->size_bytes() ? std::min(size, remote_->size_bytes() - offset) : 0;
    std::string bytes(size, '\0');
    if (remote_) {
      const core::RemotePiece piece{.offset = offset, .into = std::as_writable_bytes(std::span(bytes))};
      if (size > 0) remote_->read({&piece, 1});
    } else {
      local_.clear();
      local_.seekg(static_cast<std::streamoff>(offset));
      local_.read(bytes.data(), static_cast<std::streamsize>(size));
      bytes.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, local_.gcount())));
    }
    return bytes;
  }

 private:
  mutable std::ifstream local_;
  std::unique_ptr<core::RemoteFile> remote_;
};

// HDF5's signature is at the beginning, or after a user block of 512, 1024, 2048 … bytes.
bool has_hdf5_signature(const fs::path& path) {
  static constexpr std::string_view kSignature("\x89HDF\r\n\x1a\n", 8);
  const std::string head = Source(path).read(0, 4096 + kSignature.size());
  for (const std::size_t place : {0, 512, 1024, 2048, 4096})
    if (head.size() >= place && head.substr(place).starts_with(kSignature)) return true;
  return false;
}

off_t size_of_url(const fs::path& url) {
  const auto status = core::remote_storage().status(url);
  if (!status) throw core::InputError({.message = "does not exist", .file = url});
  return static_cast<off_t>(status->size_bytes);
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
  const Source source(path);
  std::string bytes = std::to_string(size) + ' ';
  for (std::uint64_t i = 0; i < kPieces; ++i) {
    const std::string piece = source.read(size > kPiece ? (size - kPiece) / (kPieces - 1) * i : 0, kPiece);
    if (piece.empty()) throw core::InputError({.message = "cannot be read", .file = path});
    bytes += piece;
  }
  return core::sha256(bytes);
}

ShowerFiles shower_files_at_url(const fs::path& url) {
  const auto status = core::remote_storage().status(url);
  if (!status) throw core::InputError({.message = "does not exist", .file = url});
  if (!status->is_folder) return {.files = {url}};
  ShowerFiles found;
  for (const core::RemoteEntry& entry : core::remote_storage().files_in(url)) {
    const fs::path file = url / entry.name;
    const fs::path name = entry.name;
    const bool is_hidden = std::any_of(name.begin(), name.end(),
                                       [](const fs::path& part) { return part.string().starts_with('.'); });
    if (has_hdf5_name(file) && !is_hidden)
      found.files.push_back(file);
    else if (has_hdf5_name(file))
      found.not_read.push_back({.file = file, .text = kHidden});
    else if (!is_hidden && has_hdf5_signature(file))
      found.not_read.push_back({.file = file, .text = kOtherName});
    else
      found.others.push_back(file);
  }
  return found;
}

void check_any(const ShowerFiles& found, const fs::path& path) {
  if (!found.files.empty()) return;
  throw core::InputError({.message = found.not_read.empty() ? "is a folder without HDF5 files"
                                                            : "is a folder without readable HDF5 files; " +
                                                                  found.not_read[0].to_string(),
                          .file = path,
                          .hint = "expected files that end in .h5 or .hdf5"});
}

}  // namespace

ShowerFiles shower_files(const fs::path& path, bool tolerant) {
  if (core::is_url(path)) {
    ShowerFiles found = shower_files_at_url(path);
    check_any(found, path);
    return found;
  }
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
      found.not_read.push_back({.file = file, .text = kOtherName});
    else
      found.others.push_back(file);
  }
  for (const fs::path& hidden : contents.hidden) {
    if (fs::is_directory(hidden, error) || has_hdf5_name(hidden))
      found.not_read.push_back({.file = hidden, .text = kHidden});
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
  check_any(found, path);
  return found;
}

std::vector<std::optional<Twin>> find_twins(const std::vector<fs::path>& files) {
  std::vector<std::optional<Twin>> twins(files.size());
  std::map<std::pair<dev_t, ino_t>, std::size_t> by_id;
  std::map<off_t, std::vector<std::size_t>> by_size;
  // A file's own name comes before links to it.
  for (std::size_t i = 0; i < files.size(); ++i)
    if (core::is_url(files[i])) by_size[size_of_url(files[i])].push_back(i);
  for (const bool links : {false, true})
    for (std::size_t i = 0; i < files.size(); ++i) {
      if (core::is_url(files[i]) || fs::is_symlink(files[i]) != links) continue;
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
