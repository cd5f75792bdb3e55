#include "core/remote_copies.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <vector>

#include "core/progress.h"
#include "core/remote.h"

namespace core {
namespace {

namespace fs = std::filesystem;

void copy_remote_file(const fs::path& url, const fs::path& to) {
  constexpr std::uint64_t kPiece = std::uint64_t{8} << 20;
  const auto file = remote_storage().open(url);
  std::ofstream out(to, std::ios::binary);
  constexpr double kMegabyte = 1e6;
  const auto megabytes = [](std::uint64_t size) {
    return std::llround(static_cast<double>(size) / kMegabyte);
  };
  Progress progress("copy " + to.filename().string(), megabytes(file->size_bytes()), "MB");
  std::vector<std::byte> bytes;
  for (std::uint64_t at = 0; at < file->size_bytes(); at += bytes.size()) {
    bytes.resize(std::min(kPiece, file->size_bytes() - at));
    const RemotePiece piece{.offset = at, .into = bytes};
    file->read({&piece, 1});
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    progress.update(megabytes(at + bytes.size()));
  }
  out.close();
  if (!out)
    throw UnavailableError(
        {.message = std::string("cannot be written: ") + std::strerror(errno), .file = to});
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

}  // namespace

fs::path RemoteCopies::local(const fs::path& path) {
  if (!is_url(path)) return path;
  const auto status = remote_storage().status(path);
  if (!status) throw InputError({.message = "does not exist", .file = path});
  if (!folder_) folder_.emplace("copies");
  // Each in a folder of its own, under its own name: some readers look at the name.
  const fs::path folder = folder_->path() / std::to_string(urls_.size());
  fs::path copy = folder / fs::path(shown(path)).filename();
  fs::create_directories(folder);
  if (status->is_folder) {
    fs::create_directory(copy);
    for (const RemoteEntry& entry : remote_storage().files_in(path)) {
      fs::create_directories((copy / entry.name).parent_path());
      copy_remote_file(path / entry.name, copy / entry.name);
    }
  } else {
    copy_remote_file(path, copy);
  }
  urls_[copy] = shown(path);
  return copy;
}

Error RemoteCopies::with_urls(const Error& error) const {
  ErrorDetails details = error.details();
  std::string file = details.file.string();
  for (const auto& [copy, url] : urls_)
    for (std::string* text : {&details.message, &file, &details.field, &details.hint})
      replace_all(*text, copy.string(), url.string());
  details.file = file;
  return {error.exit_code(), std::move(details)};
}

}  // namespace core
