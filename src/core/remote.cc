#include "core/remote.h"

#include <cctype>
#include <string_view>

#include "core/error.h"

namespace core {
namespace {

namespace fs = std::filesystem;

RemoteStorage* provided = nullptr;

}  // namespace

bool is_url(const fs::path& path) {
  const std::string_view text = path.native();
  const std::size_t end = text.find("://");
  if (end == std::string_view::npos || end < 2) return false;
  for (const char c : text.substr(0, end))
    if (std::islower(static_cast<unsigned char>(c)) == 0 && std::isdigit(static_cast<unsigned char>(c)) == 0)
      return false;
  return true;
}

std::string shown(const fs::path& path) {
  const std::string text = path.string();
  return is_url(path) ? text.substr(0, text.find('?')) : text;
}

void provide_remote_storage(RemoteStorage& storage) {
  provided = &storage;
}

RemoteStorage& remote_storage() {
  if (provided == nullptr)
    throw UsageError({.message = "this program reads and writes local paths only, but a URL was given"});
  return *provided;
}

bool path_exists(const fs::path& path) {
  if (is_url(path)) return remote_storage().status(path).has_value();
  return fs::exists(path);
}

bool is_folder(const fs::path& path) {
  if (!is_url(path)) return fs::is_directory(path);
  const auto status = remote_storage().status(path);
  return status && status->is_folder;
}

std::string read_remote_file(const fs::path& url) {
  const auto file = remote_storage().open(url);
  std::string text(file->size_bytes(), '\0');
  const RemotePiece all{.into = std::as_writable_bytes(std::span(text))};
  if (!text.empty()) file->read({&all, 1});
  return text;
}

}  // namespace core
