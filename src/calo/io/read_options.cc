#include <fmt/format.h>

#include "calo/io/shower_reader.h"
#include "core/error.h"

namespace calo {

namespace fs = std::filesystem;

std::optional<VoxelMesh> ReadOptions::given_mesh(std::uint64_t num_cells, const fs::path& file,
                                                 const std::string& dataset) const {
  if (!mesh) return binning ? std::optional(binning.mesh(num_cells, file, dataset)) : std::nullopt;
  if (static_cast<std::uint64_t>(mesh->num_cells()) != num_cells)
    throw core::InputError({.message = fmt::format("has {} cells a shower, and the mesh given has {}",
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
    throw core::InputError({.message = fmt::format("is of the mesh {}, as it says, and the mesh given is {}",
                                                   own.to_string(), given->to_string()),
                            .file = file,
                            .field = dataset,
                            .hint = "leave the mesh out: the file says its own"});
  return *given;
}

}  // namespace calo
