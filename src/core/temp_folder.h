#pragma once

#include <filesystem>
#include <string>

namespace core {

/// A folder of its own in the system's place for temporary files, removed with everything in it at the end.
class TempFolder {
 public:
  /// @param purpose part of its name: calopipe-PURPOSE-XXXXXX
  /// @throws UnavailableError if it cannot be made
  explicit TempFolder(const std::string& purpose);
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace core
