#pragma once

#include <map>
#include <string>
#include <vector>

#include "calo/infer/onnx_graph.h"
#include "calo/infer/tensor.h"

namespace calo::infer {

/// Extents of a value whose first dimension is the batch (written -1), and whose every row depends on the
/// same row of the inputs only.
using RowShapes = std::map<std::string, Shape>;

/// Which values of a graph are made row by row, so that showers may be batched even where the file says a
/// batch of one. Knows the operators of generators; what it does not know is not by row.
/// @param constants  values that are constant, with their shapes
/// @param integers   the numbers of constant lists
RowShapes find_row_shapes(const OnnxGraph& graph, const std::map<std::string, Shape>& constants,
                          const std::map<std::string, std::vector<std::int64_t>>& integers);

}  // namespace calo::infer
