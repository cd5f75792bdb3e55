#include <fmt/format.h>

#include "calo/io/shower_reader.h"
#include "core/error.h"

namespace calo {

namespace fs = std::filesystem;

std::optional<VoxelMesh> ReadOptions::given_mesh(std::uint64_t num_cells, const fs::path& file,
                                                 const std::string& dataset) const {
  if (!mesh) return binning ? std::optional(binning.mesh(num_cells, file, dataset)) : std::nullopt;
  if (static_cast<std::uint64_t>(mesh->num_cells()) != num_cells)
    throw core::InputError({.message = fmt::format("has {} cells per shower, but the given mesh has {}",
                                                   num_cells, mesh->num_cells()),
                            .file = file,
                            .field = dataset});
  return mesh;
}

VoxelMesh ReadOptions::mesh_beside(const VoxelMesh& own, const fs::path& file,
                                   const std::string& dataset) const {
  const auto given = given_mesh(static_cast<std::uint64_t>(own.num_cells()), file, dataset);
  if (!given) return own;
  if (!given->has_cells_of(own))
    throw core::InputError({.message = fmt::format("states its mesh, {}, but the given mesh is {}",
                                                   own.to_string(), given->to_string()),
                            .file = file,
                            .field = dataset,
                            .hint = "omit the mesh: the file states its own"});
  return *given;
}

}  // namespace calo
