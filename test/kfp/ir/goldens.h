#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace test {

/// The folder of pipelines that the Python SDK compiled: CALOPIPE_KFP_GOLDENS, or shared/kfp-goldens beside
/// the checkout; empty where there is none.
inline std::filesystem::path goldens_folder() {
  if (const char* named = std::getenv("CALOPIPE_KFP_GOLDENS")) return named;
  const auto beside = std::filesystem::path(CALOPIPE_SOURCE_DIR).parent_path() / "shared/kfp-goldens";
  return std::filesystem::is_directory(beside) ? beside : std::filesystem::path();
}

/// The files in it, sorted.
inline std::vector<std::filesystem::path> goldens() {
  std::vector<std::filesystem::path> files;
  if (goldens_folder().empty()) return files;
  for (const auto& entry : std::filesystem::directory_iterator(goldens_folder()))
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace test
