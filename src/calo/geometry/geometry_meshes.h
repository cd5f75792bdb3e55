#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "calo/geometry/voxel_mesh.h"

namespace calo {

/// Meshes of several geometries by name, if their cells differ in size. All have the same cells
/// (VoxelMesh::has_cells_of), so that showers of all geometries have the same indices. Empty if one mesh
/// holds for all geometries.
using GeometryMeshes = std::map<std::string, VoxelMesh>;

/// Mesh of a geometry in `meshes`, or `common` if it is not there.
const VoxelMesh& mesh_of(const GeometryMeshes& meshes, const std::string& geometry, const VoxelMesh& common);

/// "18 x 50 x 45 cells …" if all meshes are the common one, else "SciPb: 18 x …; SiW: 18 x …".
std::string to_string(const GeometryMeshes& meshes, const VoxelMesh& common);

/// `{"SiW": mesh, …}`, as VoxelMesh::to_json().
nlohmann::json meshes_to_json(const GeometryMeshes& meshes);
/// Reads what meshes_to_json() wrote.
/// @throws core::InputError naming the field; also if the cells of a mesh are not those of `common`
GeometryMeshes meshes_from_json(const nlohmann::json& object, const VoxelMesh& common);

}  // namespace calo
