#pragma once

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/temp_folder.h"

namespace bench {

/// A temporary folder for one benchmark.
class TempFolder : public core::TempFolder {
 public:
  TempFolder() : core::TempFolder("bench") {}
};

/// Python with the SDK; null if CALOPIPE_PYTHON is not set.
inline const char* python() {
  return std::getenv("CALOPIPE_PYTHON");
}

/// PATH with that Python first, as in its virtual environment.
inline std::string peer_path() {
  return std::filesystem::path(python()).parent_path().string() + ":" + std::getenv("PATH");
}

/// Runs bench/kfp_peer.py. @return the seconds that it measured; negative on failure
inline double kfp_peer(const std::string& what, const std::filesystem::path& folder, int count) {
  const std::filesystem::path result = folder / "seconds";
  const std::string command =
      fmt::format("'{}' '{}/bench/kfp_peer.py' {} '{}' {} '{}' > '{}/peer.log' 2>&1", python(),
                  CALOPIPE_SOURCE_DIR, what, folder.string(), count, result.string(), folder.string());
  double seconds = 0;
  if (std::system(command.c_str()) != 0) return -1;
  std::ifstream(result) >> seconds;
  return seconds;
}

}  // namespace bench
