#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace core {

/// True for "root://server//folder/file", "https://…": a scheme of two or more characters, and "://".
bool is_url(const std::filesystem::path& path);

/// The path, or the URL without its query, which may contain a signature.
std::string shown(const std::filesystem::path& path);

/// What is known of a file or folder on a server without reading it.
struct RemoteStatus {
  bool is_folder = false;
  std::uint64_t size_bytes = 0;
  std::string version;  ///< differs if the file has changed: tag, or time of the last change
};

struct RemoteEntry {
  std::string name;  ///< relative to the listed folder, with "/" between folders
  RemoteStatus status;
};

/// Bytes to read from a file.
struct RemotePiece {
  std::uint64_t offset = 0;
  std::span<std::byte> into;
};

/// A file on a server, open for reading. Not for several threads at a time.
class RemoteFile {
 public:
  virtual ~RemoteFile() = default;
  virtual std::uint64_t size_bytes() const = 0;
  /// Reads all pieces, with as few requests as possible. Sequential reading is recognised: what follows is
  /// then fetched in the background.
  /// @throws UnavailableError if the server fails; InputError if the file ends before, or has changed
  virtual void read(std::span<const RemotePiece> pieces) = 0;
};

/// A new file or folder on a server. It appears under its name with commit(); without commit(), what was sent
/// is deleted.
class RemoteUpload {
 public:
  virtual ~RemoteUpload() = default;
  /// Sends a local file, and checks that the server has the same bytes.
  /// @param name  relative to the folder; empty if the output is a file
  /// @throws UnavailableError
  virtual void send(const std::filesystem::path& file, const std::string& name) = 0;
  /// @throws UnavailableError
  virtual void commit() = 0;
};

/// Files on servers. It knows no more of HDF5 or models than a file system does (src/storage implements it).
class RemoteStorage {
 public:
  virtual ~RemoteStorage() = default;
  /// None if nothing exists there. @throws UnavailableError, UsageError (unknown scheme)
  virtual std::optional<RemoteStatus> status(const std::filesystem::path& url) = 0;
  /// All files in a folder and its subfolders, sorted by name.
  /// @throws InputError if it is no folder; UnavailableError
  virtual std::vector<RemoteEntry> files_in(const std::filesystem::path& url) = 0;
  /// What identifies the content of a file: the server's checksum; or, if it has none, size and version.
  virtual std::string content_id(const std::filesystem::path& url) = 0;
  /// @throws InputError if it does not exist or is a folder; UnavailableError
  virtual std::unique_ptr<RemoteFile> open(const std::filesystem::path& url) = 0;
  /// Checks login and permission before anything is sent.
  /// @throws UsageError if the scheme is only for reading; UnavailableError
  virtual std::unique_ptr<RemoteUpload> upload(const std::filesystem::path& url, bool is_folder) = 0;
  /// The same, but with the S3 server at `endpoint` ("https://s3.example.org") for s3:// URLs. Lives as long
  /// as this one.
  virtual RemoteStorage& with_s3_endpoint(const std::string& endpoint) = 0;
};

/// Makes URLs known to this process; until then they are rejected.
void provide_remote_storage(RemoteStorage& storage);
/// @throws UsageError if there is none in this program
RemoteStorage& remote_storage();

/// True if a local path or a URL exists. @throws UnavailableError (URL)
bool path_exists(const std::filesystem::path& path);
/// True if a local path or a URL is a folder. @throws UnavailableError (URL)
bool is_folder(const std::filesystem::path& path);

/// The whole content of a file at a URL. @throws InputError, UnavailableError
std::string read_remote_file(const std::filesystem::path& url);

}  // namespace core
