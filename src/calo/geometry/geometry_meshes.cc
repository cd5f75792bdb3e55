#include "calo/geometry/geometry_meshes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "core/error.h"
#include "core/json_reader.h"

namespace calo {

const VoxelMesh& mesh_of(const GeometryMeshes& meshes, const std::string& geometry, const VoxelMesh& common) {
  const auto found = meshes.find(geometry);
  return found == meshes.end() ? common : found->second;
}

std::string to_string(const GeometryMeshes& meshes, const VoxelMesh& common) {
  if (meshes.empty()) return common.to_string();
  std::vector<std::string> parts;
  for (const auto& [name, mesh] : meshes) parts.push_back(fmt::format("{}: {}", name, mesh.to_string()));
  return fmt::format("{}", fmt::join(parts, "; "));
}

nlohmann::json meshes_to_json(const GeometryMeshes& meshes) {
  nlohmann::json object = nlohmann::json::object();
  for (const auto& [name, mesh] : meshes) object[name] = mesh.to_json();
  return object;
}

GeometryMeshes meshes_from_json(const nlohmann::json& object, const VoxelMesh& common) {
  core::JsonPlace place({}, "geometry_meshes");
  GeometryMeshes meshes;
  core::read_json(meshes, object, place);
  for (const auto& [name, mesh] : meshes) {
    const core::JsonPlace::Step step(place, name);
    if (!mesh.has_cells_of(common))
      place.fail(
          fmt::format("has {}, but the mesh of the others has {}", mesh.to_string(), common.to_string()));
  }
  return meshes;
}

}  // namespace calo
