#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "calo/geometry/voxel_mesh.h"
#include "calo/io/dense_dataset.h"
#include "calo/io/hdf5.h"
#include "calo/io/layout.h"
#include "calo/io/shower_reader.h"
#include "calo/io/shower_writer.h"
#include "calo/shower/showers.h"
#include "core/error.h"

namespace calo::layouts {

struct Wanted;

/// Showers of a file's dataset, in the order of its rows.
struct Rows {
  std::string dataset;
  VoxelMesh mesh;                        ///< of geometries without their own in Content::geometry_meshes
  std::vector<Conditions> conditions;    ///< one per row; `geometry` is an index into Content::geometries
  std::unique_ptr<DenseDataset> dense;   ///< null: the file is sparse (layout calopipe)
  std::vector<std::uint64_t> offsets{};  ///< sparse layout: hits of row i are [offsets[i], offsets[i + 1])
};

/// Contents of a file that a layout found.
struct Content {
  std::vector<Rows> rows;
  std::vector<std::string> geometries;
  GeometryMeshes geometry_meshes{};  ///< by geometry, if they differ from Rows::mesh (layout calopipe)
  std::vector<std::string> used;     ///< objects of the root group that were read
  std::vector<Remark> notes;
};

/// A layout of files with showers. A new layout is a file in this folder and a line in table().
struct ShowerLayout {
  Layout layout;
  /// True if a file is in this layout; looks only at names and attributes.
  bool (*matches)(const hdf5::File& file);
  /// Conditions and positions of the file's showers, without the cells. The file must outlive the result.
  /// @throws core::InputError with file and object; if options.tolerant is set, faults that allow reading are
  ///         notes instead
  Content (*open)(const hdf5::File& file, const ReadOptions& options);
  /// Checks that the layout can store showers that are to be converted.
  /// @throws core::UsageError (Wanted::refuse, Wanted::lose)
  void (*check)(const Wanted& wanted);
  /// True if a file or folder at this path can have showers of several geometries.
  bool (*holds_several_geometries)(const std::filesystem::path& path);
  /// See ShowerWriter::create().
  std::unique_ptr<ShowerWriter> (*create)(const std::filesystem::path& path, const WriteOptions& options,
                                          core::ThreadPool& pool);
};

/// All layouts, in the order in which they are tried.
std::span<const ShowerLayout> table();

/// Entry of a layout in table().
const ShowerLayout& row_of(Layout layout);

/// Layout of a file. @throws core::InputError with the file's contents if it is in no known layout
const ShowerLayout& layout_of(const hdf5::File& file);

/// Throws a core::InputError, or notes it if options.tolerant is set.
void refuse(const core::ErrorDetails& details, const ReadOptions& options, std::vector<Remark>& notes);

extern const ShowerLayout kMlFastSim;
extern const ShowerLayout kPar04;
extern const ShowerLayout kCaloChallenge;
extern const ShowerLayout kCalopipe;

/// `format_version` of the layout calopipe with a mesh for each geometry (attribute `geometry_meshes`); other
/// files have 1.
inline constexpr int kVersionWithMeshes = 2;

/// Name of the dataset or attribute with the simulation time of each shower in seconds.
inline constexpr const char* kSimTime = "sim_time_s";

}  // namespace calo::layouts
