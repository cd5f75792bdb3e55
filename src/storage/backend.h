#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/remote.h"

namespace storage {

/// An open file of a server. Calls may come from several threads.
class Source {
 public:
  virtual ~Source() = default;
  virtual std::uint64_t size_bytes() const = 0;
  /// Differs if the file has changed: tag, or time of the last change.
  virtual std::string version() const = 0;
  /// @throws Fault
  virtual void read(std::span<const core::RemotePiece> pieces) = 0;
};

/// Called with the bytes sent so far; may throw core::Interrupted.
using OnBytes = std::function<void(std::uint64_t)>;

/// core::RemoteUpload of a backend: each call is one attempt, and may be repeated after Fault::kUnreachable.
class Sender {
 public:
  virtual ~Sender() = default;
  /// @throws Fault
  virtual void send(const std::filesystem::path& file, const std::string& name, const OnBytes& on_bytes) = 0;
  /// @throws Fault
  virtual void commit() = 0;
};

/// One protocol. Every call is one attempt, without retries. @throws Fault, unless something else is said
class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::optional<core::RemoteStatus> status(const std::string& url) = 0;
  /// All files in a folder and its subfolders, in any order.
  virtual std::vector<core::RemoteEntry> files_in(const std::string& url) = 0;
  /// "adler32:01234567" or similar; none if the server has no checksums.
  virtual std::optional<std::string> checksum(const std::string& url) = 0;
  virtual std::unique_ptr<Source> open(const std::string& url) = 0;
  /// Starts an output: logs in, and makes the folder in which it is.
  /// @throws core::UsageError if this protocol is only read here
  virtual std::unique_ptr<Sender> upload(const std::string& url, bool is_folder) = 0;
  /// What a user does about a missing or expired login.
  virtual std::string login_hint() const = 0;
};

struct Settings {
  double timeout_s = 60;         ///< longest silence of a server; an operation is repeated for this long
  std::string s3_endpoint = {};  ///< empty: from the environment
};

}  // namespace storage
