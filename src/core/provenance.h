#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace core {

/// Version of this program, from project() in CMake.
const char* version();

/// Origin of an artifact, stored with it as `calopipe.json` (folders) or as the HDF5 attribute `calopipe`
/// (files). It has no times and no paths, so that the same work gives the same bytes.
struct Provenance {
  std::string component;
  nlohmann::json parameters = nlohmann::json::object();
  std::optional<std::uint64_t> seed;
  std::map<std::string, std::string> inputs;  ///< name of the input → SHA-256 of its content

  nlohmann::json to_json() const;  ///< adds the version
};

}  // namespace core
