#pragma once

#include <fmt/format.h>
#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace bench {

/// A folder of its own, removed at the end.
class TempFolder {
 public:
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "calopipe-bench-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// The Python with the SDK; null where CALOPIPE_PYTHON is not set.
inline const char* python() {
  return std::getenv("CALOPIPE_PYTHON");
}

/// PATH with that Python first, as inside of its virtual environment.
inline std::string peer_path() {
  return std::filesystem::path(python()).parent_path().string() + ":" + std::getenv("PATH");
}

/// Runs bench/kfp_peer.py. @return the seconds that it measured; negative where it failed
inline double kfp_peer(const std::string& what, const std::filesystem::path& folder, int count) {
  const std::filesystem::path result = folder / "seconds";
  const std::string command = fmt::format(
      "PATH='{}' '{}' '{}/bench/kfp_peer.py' {} '{}' {} '{}' > '{}/peer.log' 2>&1", peer_path(), python(),
      CALOPIPE_SOURCE_DIR, what, folder.string(), count, result.string(), folder.string());
  double seconds = 0;
  if (std::system(command.c_str()) != 0) return -1;
  std::ifstream(result) >> seconds;
  return seconds;
}

}  // namespace bench
