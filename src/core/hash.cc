#include "core/hash.h"

#include <openssl/evp.h>

#include <fstream>
#include <memory>
#include <vector>

#include "core/error.h"
#include "core/folder_walk.h"
#include "core/remote.h"

namespace core {
namespace fs = std::filesystem;
namespace {

class Digest {
 public:
  Digest() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }
  void add(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
  std::string hex() {
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), raw, &size);
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (unsigned i = 0; i < size; ++i) {
      text += kDigits[raw[i] >> 4];
      text += kDigits[raw[i] & 15];
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

std::string sha256_of_file(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw InputError({.message = "cannot be read", .file = path});
  Digest digest;
  std::vector<char> buffer(1 << 20);
  while (stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || stream.gcount() > 0)
    digest.add({buffer.data(), static_cast<std::size_t>(stream.gcount())});
  return digest.hex();
}

// Relative names of the files of a folder that are not hidden, sorted.
std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> files = walk_folder(folder, {.enter_hidden_folders = true}).files;
  for (fs::path& file : files) file = file.lexically_relative(folder);
  return files;
}

bool is_hidden(const std::string& name) {
  return fs::path(name).filename().string().starts_with('.');
}

// describe(status, url) is called for the file, or for each file of the folder.
template <class Describe>
std::string hash_of_url(const fs::path& url, const Describe& describe) {
  const auto status = remote_storage().status(url);
  if (!status) throw InputError({.message = "does not exist", .file = url});
  if (!status->is_folder) return sha256(describe(*status, url));
  Digest digest;
  for (const RemoteEntry& entry : remote_storage().files_in(url))
    if (!is_hidden(entry.name))
      digest.add(entry.name + '\0' + describe(entry.status, url / entry.name) + '\n');
  return digest.hex();
}

}  // namespace

std::string sha256(std::string_view bytes) {
  Digest digest;
  digest.add(bytes);
  return digest.hex();
}

std::string sha256_of_path(const fs::path& path) {
  if (is_url(path))
    return hash_of_url(
        path, [](const RemoteStatus&, const fs::path& url) { return remote_storage().content_id(url); });
  if (!fs::exists(path)) throw InputError({.message = "does not exist", .file = path});
  if (!fs::is_directory(path)) return sha256_of_file(path);
  Digest digest;
  for (const auto& file : files_in(path))
    digest.add(file.generic_string() + '\0' + sha256_of_file(path / file) + '\n');
  return digest.hex();
}

std::string fingerprint_of_path(const fs::path& path) {
  if (is_url(path))
    return hash_of_url(path, [](const RemoteStatus& status, const fs::path&) {
      return std::to_string(status.size_bytes) + ' ' + status.version;
    });
  if (!fs::exists(path)) throw InputError({.message = "does not exist", .file = path});
  Digest digest;
  const auto add = [&](const std::string& name, const fs::path& file) {
    digest.add(name + '\0' + std::to_string(fs::file_size(file)) + ' ' +
               std::to_string(fs::last_write_time(file).time_since_epoch().count()) + '\n');
  };
  if (!fs::is_directory(path)) {
    add(path.filename().string(), path);
  } else {
    for (const auto& file : files_in(path)) add(file.generic_string(), path / file);
  }
  return digest.hex();
}

}  // namespace core
