#pragma once

#include <filesystem>
#include <string>

namespace core {

/// A temporary folder, removed with its contents by the destructor.
class TempFolder {
 public:
  /// @param purpose part of its name: calopipe-PURPOSE-XXXXXX
  /// @throws UnavailableError if it cannot be created
  explicit TempFolder(const std::string& purpose);
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// The destructor will not remove the folder.
  void keep() { kept_ = true; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
  bool kept_ = false;
};

}  // namespace core
