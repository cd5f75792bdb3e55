#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <variant>
#include <vector>

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
  int showers_per_chunk = 0;  ///< 0 = chosen so that a chunk of cells is about 1 MiB
  nlohmann::json provenance;  ///< stored as the attribute `calopipe` of each file, where not null
  /// Further attributes of each file ("particle", "sampling_fraction" …).
  std::map<std::string, std::variant<std::string, double>> attributes = {};
};

/// Writes showers to plain gzip HDF5, compressing chunks in parallel, in pieces, so that any number of
/// showers can be written. Nothing appears under the final name before commit().
///
/// MLFastSim: `path` ending in .h5 or .hdf5 is one file (one geometry, one angle), else the root folder;
/// incident energies must be whole GeV. CaloChallenge and Par04: `path` is a file; one geometry.
class ShowerWriter {
 public:
  /// @throws core::UsageError, core::UnavailableError (StagedOutput)
  static std::unique_ptr<ShowerWriter> create(const std::filesystem::path& path, const WriteOptions& options,
                                              core::ThreadPool& pool);
  virtual ~ShowerWriter() = default;

  /// Conditions::sim_time_s is stored as the dataset `sim_time_s` where it is known of any shower of a file
  /// (NaN of the others); MLFastSim: as an attribute of the energy, where it fits into one (16 000 showers).
  /// @throws core::UsageError if the layout cannot hold these conditions; core::UnavailableError (disk
  /// full)
  virtual void append(const Showers& showers) = 0;
  /// Finishes the file and puts it in place. @throws core::UnavailableError
  virtual void commit() = 0;
};

}  // namespace calo
