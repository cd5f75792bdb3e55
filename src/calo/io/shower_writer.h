#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "calo/geometry/geometry_meshes.h"
#include "calo/geometry/voxel_mesh.h"
#include "calo/io/layout.h"
#include "calo/shower/showers.h"
#include "core/thread_pool.h"

namespace calo {

struct WriteOptions {
  Layout layout = Layout::kPar04;
  VoxelMesh mesh;
  std::vector<std::string> geometries;
  int compression = 1;        ///< gzip level 0–12
  int showers_per_chunk = 0;  ///< 0 = such that a chunk of cells has about 1 MiB
  nlohmann::json provenance;  ///< stored as the attribute `calopipe` of each file, unless null
  /// Further attributes of each file ("particle", "sampling_fraction" …).
  std::map<std::string, std::variant<std::string, double>> attributes = {};
  /// Meshes of geometries that differ from `mesh` in the sizes of their cells: each file says the mesh of its
  /// geometry, a file with several geometries (layout calopipe) all of them.
  GeometryMeshes geometry_meshes = {};

  const VoxelMesh& mesh_of(const std::string& geometry) const {
    return calo::mesh_of(geometry_meshes, geometry, mesh);
  }
};

/// True if files of a layout at this path can have showers of several geometries.
bool holds_several_geometries(Layout layout, const std::filesystem::path& path);

/// Writes any number of showers in pieces to plain gzip HDF5, compressing chunks in parallel. Nothing appears
/// at the final path before commit().
///
/// MLFastSim: a `path` ending in .h5 or .hdf5 is one file (one geometry, one angle), any other the root
/// folder; incident energies must be whole GeV. CaloChallenge and Par04: `path` is a file; one geometry.
class ShowerWriter {
 public:
  /// @throws core::UsageError, core::UnavailableError (StagedOutput)
  static std::unique_ptr<ShowerWriter> create(const std::filesystem::path& path, const WriteOptions& options,
                                              core::ThreadPool& pool);
  virtual ~ShowerWriter() = default;

  /// Conditions::sim_time_s is stored as the dataset `sim_time_s` if it is known for any shower of a file
  /// (NaN for the others). MLFastSim stores it as an attribute of the energy if it fits (16 000 showers).
  /// @throws core::UsageError if the layout cannot store these conditions; core::UnavailableError (disk full)
  virtual void append(const Showers& showers) = 0;
  /// Finishes the file and moves it to its final path. @throws core::UnavailableError
  virtual void commit() = 0;
};

}  // namespace calo
