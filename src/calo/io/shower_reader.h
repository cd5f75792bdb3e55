#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "calo/geometry/binning_file.h"
#include "calo/geometry/geometry_meshes.h"
#include "calo/geometry/voxel_mesh.h"
#include "calo/io/layout.h"
#include "calo/io/remark.h"
#include "calo/shower/showers.h"
#include "core/thread_pool.h"

namespace calo {

struct ReadOptions {
  /// Mesh of the files, if they do not state it. Unset: from the file's shape and geometry, with cell sizes
  /// from `named_mesh`.
  std::optional<VoxelMesh> mesh;
  /// Meshes of a binning file, if `mesh` is unset: the one with the files' number of cells is used.
  Binning binning;
  /// Order of the axes of dense arrays, if it is not the layout's: "layer,phi,r" (see parse_axes).
  std::string axes;
  /// Geometry of files that do not state theirs (attribute `geometry`, or folder name). Empty: "unknown".
  std::string geometry;
  /// Filter: keep only these; empty = all. Energies in MeV, angles (theta) in degrees, matched within 1e-4
  /// relative.
  std::vector<std::string> geometries;
  std::vector<double> energies_mev;
  std::vector<double> angles_deg;
  /// For looking at data (inspect): faults are notes instead of errors if the showers can be read.
  bool tolerant = false;

  /// The mesh for showers with this number of cells: `mesh` or that of `binning`; none if neither is given.
  /// @throws core::InputError with both numbers if they differ
  std::optional<VoxelMesh> given_mesh(std::uint64_t num_cells, const std::filesystem::path& file,
                                      const std::string& dataset) const;
  /// The mesh for showers of a file that states its own: the given one, which must have the same cells (its
  /// sizes are used), or `own` if none is given. @throws core::InputError
  VoxelMesh mesh_beside(const VoxelMesh& own, const std::filesystem::path& file,
                        const std::string& dataset) const;
};

/// Contents of a file or folder of showers, known after opening.
struct DatasetInfo {
  std::filesystem::path path;  ///< path as given
  Layout layout = Layout::kCalopipe;
  VoxelMesh
      mesh;  ///< the only mesh, or that of the first showers if geometries have cells of different sizes
  /// Mesh of each geometry with showers, if the sizes of their cells differ; else empty.
  GeometryMeshes geometry_meshes;
  std::vector<std::string> geometries;
  std::int64_t num_showers = 0;
  std::vector<std::filesystem::path> files;
  /// Number of showers before each file.
  std::vector<std::int64_t> first_shower;
  /// Unusual properties of files, shapes and conditions.
  std::vector<Remark> notes;
  /// Files and objects that were not read though they may contain showers.
  std::vector<Remark> not_read;
  /// Files of the folder that are not HDF5.
  std::vector<std::filesystem::path> other_files;
  /// Largest memory of a program that made one of the files (attribute `peak_memory_bytes`); 0 if unknown.
  double peak_memory_bytes = 0;

  /// Mesh of a geometry's showers.
  const VoxelMesh& mesh_of(const std::string& geometry) const {
    return calo::mesh_of(geometry_meshes, geometry, mesh);
  }
};

/// Lines for notes and for what was not read: the first `most` of each kind, and the number of further ones.
std::vector<std::string> remarks_of(const DatasetInfo& info, std::size_t most = 20);

/// Logs remarks_of() as warnings.
void warn_of_remarks(const DatasetInfo& info);

/// Mean of Conditions::sim_time_s over showers whose time is finite and not negative; none if there are none.
std::optional<double> mean_sim_time_s(const std::vector<Conditions>& conditions);

/// Reads showers in any layout, which is detected from the file. A folder of files in one layout is one data
/// set. Chunks are decompressed in parallel. A reader keeps at most a few chunks in memory. Showers have a
/// fixed order (by file name, then dataset, then row).
class ShowerReader {
 public:
  /// @throws core::InputError with file, dataset and fault (missing, not HDF5, truncated, unknown layout,
  ///         wrong shape, empty, invalid angles, the same showers twice, other numbers of cells than in
  ///         another file, cells of two sizes in one geometry); core::UsageError if a filter matches nothing
  static std::unique_ptr<ShowerReader> open(const std::filesystem::path& path, const ReadOptions& options,
                                            core::ThreadPool& pool);
  virtual ~ShowerReader() = default;

  virtual const DatasetInfo& info() const = 0;

  /// Showers [begin, begin + count) as they are in the file (including NaN and negative cells); fewer at the
  /// end. Fastest if called in order.
  virtual Showers read(std::int64_t begin, std::int64_t count) = 0;

  /// Conditions of all showers, without the cells.
  virtual const std::vector<Conditions>& conditions() const = 0;

  /// Number of showers that fit into `bytes` of memory when dense: a suitable count for read().
  std::int64_t batch_within(std::size_t bytes) const;
};

/// All showers at once.
Showers read_all(ShowerReader& reader);

}  // namespace calo
