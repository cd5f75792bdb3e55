#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace test {

/// What the Python SDK compiled from test/kfp/dsl/peer_pipelines.py; a test keeps it so.
inline std::filesystem::path own_goldens_folder() {
  return std::filesystem::path(CALOPIPE_SOURCE_DIR) / "test/kfp/goldens";
}

/// Compiled pipelines of the SDK's own tests, which are others' work and no part of this repository:
/// CALOPIPE_KFP_GOLDENS, or shared/kfp-goldens beside the checkout; empty if there is none.
inline std::filesystem::path goldens_folder() {
  if (const char* named = std::getenv("CALOPIPE_KFP_GOLDENS")) return named;
  const auto beside = std::filesystem::path(CALOPIPE_SOURCE_DIR).parent_path() / "shared/kfp-goldens";
  return std::filesystem::is_directory(beside) ? beside : std::filesystem::path();
}

/// The files in both, sorted.
inline std::vector<std::filesystem::path> goldens() {
  std::vector<std::filesystem::path> files;
  for (const auto& folder : {own_goldens_folder(), goldens_folder()}) {
    if (folder.empty()) continue;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace test
