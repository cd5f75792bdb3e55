#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "calo/geometry/binning_file.h"
#include "calo/geometry/voxel_mesh.h"
#include "calo/io/layout.h"
#include "calo/shower/showers.h"
#include "core/thread_pool.h"

namespace calo {

struct ReadOptions {
  /// Mesh of the files, where they do not say it themselves. Unset: from the file's shape and geometry, and
  /// from `named_mesh` for cell sizes.
  std::optional<VoxelMesh> mesh;
  /// Meshes of a binning file, where `mesh` is unset: the one that has the files' number of cells.
  Binning binning;
  /// Order of the axes of dense arrays ("layer,phi,r"). Empty: the layout's own.
  std::string axes;
  /// Geometry of files that do not name theirs (attribute `geometry`, or folder name). Empty: "unknown".
  std::string geometry;
  /// Keep only these; empty = all. Energies in MeV, angles (theta) in degrees, matched within 1e-4 relative.
  std::vector<std::string> geometries;
  std::vector<double> energies_mev;
  std::vector<double> angles_deg;

  /// The mesh for showers of so many cells: `mesh` or that of `binning`; none where neither is given.
  /// @throws core::InputError with both numbers where it has others
  std::optional<VoxelMesh> given_mesh(std::uint64_t num_cells, const std::filesystem::path& file,
                                      const std::string& dataset) const;
  /// The mesh for showers of a file that says its own: the given one, which must have the same cells (its
  /// sizes are taken); else `own`. @throws core::InputError
  VoxelMesh mesh_beside(const VoxelMesh& own, const std::filesystem::path& file,
                        const std::string& dataset) const;
};

/// What is in a file or folder of showers, known after opening.
struct DatasetInfo {
  Layout layout = Layout::kCalopipe;
  VoxelMesh mesh;
  std::vector<std::string> geometries;
  std::int64_t num_showers = 0;
  std::vector<std::filesystem::path> files;
  /// Largest memory that a program needed which made one of the files (attribute `peak_memory_bytes`); 0
  /// where none says so.
  double peak_memory_bytes = 0;
};

/// Mean of Conditions::sim_time_s, of showers whose time is finite and not negative; none where there are
/// none.
std::optional<double> mean_sim_time_s(const std::vector<Conditions>& conditions);

/// Reads showers in any layout, found out by looking into the file. A folder of MLFastSim files is one data
/// set. Chunks are decompressed in parallel. A reader keeps at most a few chunks in memory; showers come in
/// a fixed order (by file name, then dataset, then row).
class ShowerReader {
 public:
  /// @throws core::InputError with file, dataset and what is wrong (missing, not HDF5, truncated, unknown
  ///         layout, wrong shape, empty); core::UsageError where a filter matches nothing
  static std::unique_ptr<ShowerReader> open(const std::filesystem::path& path, const ReadOptions& options,
                                            core::ThreadPool& pool);
  virtual ~ShowerReader() = default;

  virtual const DatasetInfo& info() const = 0;

  /// Showers [begin, begin + count) as they are in the file (NaN and negative cells included), fewer at the
  /// end. Fastest when called in order.
  virtual Showers read(std::int64_t begin, std::int64_t count) = 0;

  /// Conditions of all showers, without the cells.
  virtual const std::vector<Conditions>& conditions() const = 0;

  /// How many showers fit into `bytes` of memory when dense: a sensible count for read().
  std::int64_t batch_within(std::size_t bytes) const;
};

/// All showers at once.
Showers read_all(ShowerReader& reader);

}  // namespace calo
