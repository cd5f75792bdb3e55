#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "core/remote.h"
#include "core/temp_folder.h"

namespace core {

/// An output file or folder that appears under its name only when complete. It is written at `path()`, next
/// to its final path on the same disk; `commit()` renames it and replaces an older output. Without commit,
/// the destructor removes it and leaves the older output untouched.
///
/// If the final path is a URL, `path()` is in a temporary folder, and `commit()` sends it to the server under
/// a temporary name, checks it and renames it there. If this fails, the local output is kept, and the error
/// says where.
class StagedOutput {
 public:
  enum class Kind { kFile, kFolder };

  /// Makes missing parents of `final_path`; for a folder also makes `path()`. Logs in to a server.
  /// @throws UnavailableError if the path cannot be written
  /// @throws UsageError if `final_path` exists and is of the other kind, or neither file nor folder
  StagedOutput(std::filesystem::path final_path, Kind kind);
  ~StagedOutput();
  StagedOutput(const StagedOutput&) = delete;
  StagedOutput& operator=(const StagedOutput&) = delete;

  const std::filesystem::path& path() const { return staged_; }
  const std::filesystem::path& final_path() const { return final_; }

  /// Flushes to disk and renames. @throws UnavailableError (disk full, no permission, server)
  void commit();

 private:
  void start_upload();
  void send();

  std::filesystem::path final_;
  std::filesystem::path staged_;
  Kind kind_;
  bool committed_ = false;
  std::unique_ptr<TempFolder> folder_;    // for a URL
  std::unique_ptr<RemoteUpload> upload_;  // for a URL
};

/// Writes `text` to `path` through a StagedOutput. @throws UnavailableError, UsageError
void write_file(const std::filesystem::path& path, const std::string& text);

/// The whole file, local or at a URL, as a string. @throws InputError if it is missing, a folder or
/// unreadable
std::string read_file(const std::filesystem::path& path);

}  // namespace core
