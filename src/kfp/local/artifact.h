#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace kfp::local {

/// An artifact in the form in which the launcher passes it to a task (RuntimeArtifact).
struct Artifact {
  std::string name;  ///< name of the output that produced it
  std::string uri;   ///< an absolute path, or the uri of an importer: "gs://bucket/object"
  nlohmann::json type = {{"schemaTitle", "system.Artifact"}, {"schemaVersion", "0.0.1"}};
  nlohmann::json metadata = nlohmann::json::object();
  std::string sha256;  ///< hash of the content; empty if it is missing or not on this machine
  std::int64_t bytes = 0;

  nlohmann::json to_json() const;
};

/// Path of the content on this machine: the uri itself, or the part after `file://`; nullopt for other
/// schemes.
std::optional<std::filesystem::path> local_path(const std::string& uri);

/// Sets hash and size, if the content exists on this machine.
void measure(Artifact& artifact);

/// Input or output parameters and artifacts of a task, by name. If the input or output is not a list, the
/// list of artifacts has one element.
struct Values {
  std::map<std::string, nlohmann::json> parameters;
  std::map<std::string, std::vector<Artifact>> artifacts;
};

}  // namespace kfp::local
