#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "calo/geometry/voxel_mesh.h"
#include "calo/io/axes.h"
#include "calo/io/hdf5.h"
#include "calo/io/shower_reader.h"

namespace calo::layouts {

/// How the cells of a dense dataset lie in a mesh.
struct Arrangement {
  VoxelMesh mesh;
  std::vector<std::uint32_t> cell_of;  ///< canonical cell of each place in a row; empty = the same order
  std::vector<std::string> notes;      ///< what is odd about it
};

/// Finds the mesh and the order of the cells of `[N, …]`: flat, in one axis a dimension, or with neighbouring
/// axes put together ([N, layer, alpha * r]); axes of length 1 beside them (channels) are passed over.
///
/// The mesh is the file's attribute `mesh` (with the sizes that the user gives); or the user's; or the one
/// known of so many cells; or that of the shape, with the cell sizes that the geometry has in Par04. The
/// order of the axes is the user's (ReadOptions::axes), or the layout's. A shape that would be a known mesh
/// in another order of axes is refused: nobody would notice the mistake.
/// @throws core::InputError if shape, mesh and axes do not fit together; core::UsageError for axes
Arrangement arrange(const hdf5::File& file, const std::string& dataset, const std::string& geometry,
                    const ReadOptions& options, const Axes& axes_of_layout);

}  // namespace calo::layouts
