#pragma once

#include <cstdint>
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

/// Showers of one dataset of a file, in its order of rows.
struct Rows {
  std::string dataset;
  VoxelMesh mesh;
  std::vector<Conditions> conditions;   ///< one a row; `geometry` is an index into Content::geometries
  std::unique_ptr<DenseDataset> dense;  ///< null: the file is sparse (layout calopipe)
  std::vector<std::uint64_t>
      offsets{};  ///< of the sparse layout: hits of row i are [offsets[i], offsets[i + 1])
};

/// What a layout finds in one file.
struct Content {
  std::vector<Rows> rows;
  std::vector<std::string> geometries;
  std::vector<std::string> used;  ///< objects of the root group that were read
  std::vector<Remark> notes;
};

/// A layout of files with showers. A new one is a file in this folder and a line in table().
struct ShowerLayout {
  Layout layout;
  /// Whether a file is in this layout; looks at names and attributes alone.
  bool (*matches)(const hdf5::File& file);
  /// Conditions and places of the file's showers, without the cells. The file must outlive the result.
  /// @throws core::InputError naming file and object; where options.tolerant is set, what can be passed over
  /// is
  ///         a note
  Content (*open)(const hdf5::File& file, const ReadOptions& options);
  /// Whether the layout can hold showers that are to be converted into it.
  /// @throws core::UsageError (Wanted::refuse, Wanted::lose)
  void (*check)(const Wanted& wanted);
  /// See ShowerWriter::create().
  std::unique_ptr<ShowerWriter> (*create)(const std::filesystem::path& path, const WriteOptions& options,
                                          core::ThreadPool& pool);
};

/// All layouts, in the order in which they are tried.
std::span<const ShowerLayout> table();

/// The row of a layout.
const ShowerLayout& row_of(Layout layout);

/// The layout of a file. @throws core::InputError listing what the file holds, where it is in none
const ShowerLayout& layout_of(const hdf5::File& file);

/// Throws a core::InputError, or makes it a note where options.tolerant is set.
void refuse(const core::ErrorDetails& details, const ReadOptions& options, std::vector<Remark>& notes);

extern const ShowerLayout kMlFastSim;
extern const ShowerLayout kPar04;
extern const ShowerLayout kCaloChallenge;
extern const ShowerLayout kCalopipe;

/// Name of the dataset or attribute with the seconds that each shower took.
inline constexpr const char* kSimTime = "sim_time_s";

}  // namespace calo::layouts
