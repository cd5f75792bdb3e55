#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "calo/geometry/voxel_mesh.h"
#include "calo/io/axes.h"
#include "calo/io/hdf5.h"
#include "calo/io/shower_reader.h"

namespace calo::layouts {

/// Arrangement of a dense dataset's cells in a mesh.
struct Arrangement {
  VoxelMesh mesh;
  std::vector<std::uint32_t> cell_of;  ///< canonical cell of each index in a row; empty = the same order
  std::vector<std::string> notes;      ///< remarks on unusual properties
};

/// Finds the mesh and the order of the cells of `[N, …]`: flat, one dimension for each axis, or merged
/// neighbouring axes ([N, layer, alpha * r]). Axes of length 1 (channels) are ignored.
///
/// The mesh is the file's attribute `mesh` (with the sizes that the user gives), or the user's, or the known
/// mesh with this number of cells, or that of the shape, with Par04's cell sizes for the geometry. The order
/// of the axes is the user's (ReadOptions::axes) or the layout's. A shape that would be a known mesh with
/// another order of axes is rejected, because nobody would notice the mistake.
/// @throws core::InputError if shape, mesh and axes do not fit together; core::UsageError for axes
Arrangement arrange(const hdf5::File& file, const std::string& dataset, const std::string& geometry,
                    const ReadOptions& options, const Axes& axes_of_layout);

}  // namespace calo::layouts
