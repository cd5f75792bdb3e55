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
#include "calo/io/remark.h"
#include "calo/shower/showers.h"
#include "core/thread_pool.h"

namespace calo {

struct ReadOptions {
  /// Mesh of the files, where they do not say it themselves. Unset: from the file's shape and geometry, and
  /// from `named_mesh` for cell sizes.
  std::optional<VoxelMesh> mesh;
  /// Meshes of a binning file, where `mesh` is unset: the one that has the files' number of cells.
  Binning binning;
  /// Order of the axes of dense arrays, where it is not the layout's: "layer,phi,r" (see parse_axes).
  std::string axes;
  /// Geometry of files that do not name theirs (attribute `geometry`, or folder name). Empty: "unknown".
  std::string geometry;
  /// Keep only these; empty = all. Energies in MeV, angles (theta) in degrees, matched within 1e-4 relative.
  std::vector<std::string> geometries;
  std::vector<double> energies_mev;
  std::vector<double> angles_deg;
  /// For looking at data (inspect): what would be refused is a note instead, where the showers can be read.
  bool tolerant = false;

  /// The mesh for showers of so many cells: `mesh` or that of `binning`; none if neither is given.
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
  std::filesystem::path path;  ///< as it was given
  Layout layout = Layout::kCalopipe;
  VoxelMesh mesh;
  std::vector<std::string> geometries;
  std::int64_t num_showers = 0;
  std::vector<std::filesystem::path> files;
  /// Number of showers before each file.
  std::vector<std::int64_t> first_shower;
  /// What is odd about files, shapes and conditions.
  std::vector<Remark> notes;
  /// Files and objects in them that were not read, though they might hold showers.
  std::vector<Remark> not_read;
  /// Files of the folder that are no HDF5.
  std::vector<std::filesystem::path> other_files;
  /// Largest memory that a program needed which made one of the files (attribute `peak_memory_bytes`); 0
  /// where none says so.
  double peak_memory_bytes = 0;
};

/// Notes and what was not read, one a line, of each kind the first `most` and how many more there are.
std::vector<std::string> remarks_of(const DatasetInfo& info, std::size_t most = 20);

/// Logs remarks_of() as warnings.
void warn_of_remarks(const DatasetInfo& info);

/// Mean of Conditions::sim_time_s, of showers whose time is finite and not negative; none if there are
/// none.
std::optional<double> mean_sim_time_s(const std::vector<Conditions>& conditions);

/// Reads showers in any layout, found out by looking into the file. A folder of files in one layout is one
/// data set. Chunks are decompressed in parallel. A reader keeps at most a few chunks in memory; showers come
/// in a fixed order (by file name, then dataset, then row).
class ShowerReader {
 public:
  /// @throws core::InputError with file, dataset and what is wrong (missing, not HDF5, truncated, unknown
  ///         layout, wrong shape, empty, angles that are none, the same showers twice);
  ///         core::UsageError where a filter matches nothing
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
