#include "kfp/local/artifact.h"

#include "core/hash.h"

namespace kfp::local {
namespace fs = std::filesystem;

nlohmann::json Artifact::to_json() const {
  return {{"name", name}, {"uri", uri}, {"type", type}, {"metadata", metadata}};
}

std::optional<fs::path> local_path(const std::string& uri) {
  constexpr std::string_view kFile = "file://";
  if (uri.starts_with(kFile)) return fs::path(uri.substr(kFile.size()));
  if (uri.empty() || uri.find("://") != std::string::npos) return std::nullopt;
  return fs::path(uri);
}

void measure(Artifact& artifact) {
  artifact.sha256.clear();
  artifact.bytes = 0;
  const std::optional<fs::path> path = local_path(artifact.uri);
  std::error_code error;
  if (!path || !fs::exists(*path, error)) return;
  artifact.sha256 = core::sha256_of_path(*path);
  if (!fs::is_directory(*path)) {
    artifact.bytes = static_cast<std::int64_t>(fs::file_size(*path));
    return;
  }
  for (const auto& entry : fs::recursive_directory_iterator(*path))
    if (entry.is_regular_file()) artifact.bytes += static_cast<std::int64_t>(entry.file_size());
}

}  // namespace kfp::local
