#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace kfp::local {

/// An artifact as the launcher hands it to a task (RuntimeArtifact).
struct Artifact {
  std::string name;  ///< of the output that made it
  std::string uri;   ///< an absolute path, or what an importer got: "gs://bucket/object"
  nlohmann::json type = {{"schemaTitle", "system.Artifact"}, {"schemaVersion", "0.0.1"}};
  nlohmann::json metadata = nlohmann::json::object();
  std::string sha256;  ///< of the content; empty if it is missing or not on this machine
  std::int64_t bytes = 0;

  nlohmann::json to_json() const;
};

/// Where the content lies on this machine: the uri itself, or what follows `file://`; none for other schemes.
std::optional<std::filesystem::path> local_path(const std::string& uri);

/// Fills in hash and size, where the content is here and exists.
void measure(Artifact& artifact);

/// Parameters and artifacts that go into a task, or come out of it, by name. Lists of artifacts hold one
/// element where the input or output is no list.
struct Values {
  std::map<std::string, nlohmann::json> parameters;
  std::map<std::string, std::vector<Artifact>> artifacts;
};

}  // namespace kfp::local
