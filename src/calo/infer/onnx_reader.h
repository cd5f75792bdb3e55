#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "calo/infer/external_data.h"
#include "calo/infer/onnx_graph.h"

namespace calo::infer {

/// What a model file may ask for at most. Files come from anywhere.
struct OnnxLimits {
  std::size_t nodes = 100'000;                    ///< with those of bodies
  std::size_t constants = 100'000;                ///< likewise
  std::int64_t elements = std::int64_t{1} << 29;  ///< of one tensor, here and while it runs
  std::size_t rank = 8;
  std::int64_t work = std::int64_t{1} << 44;  ///< multiplications of one run
  std::size_t attribute_numbers = 1'000'000;
  std::size_t depth = 8;                ///< of bodies in bodies
  std::int64_t iterations = 1'000'000;  ///< of all loops in one run
};

/// Reads and checks an ONNX model (onnx.proto, IR versions 3 to 13): the wire format, sizes, names, the order
/// of the nodes. Whether the engine knows the operators is checked when they are compiled.
/// @param bytes must outlive the graph: large constants point into them
/// @param external where tensors outside of the file lie; must outlive the graph. Null: they are refused.
/// @throws core::InputError naming what is wrong with which node, tensor or field: not ONNX, data outside of
///         the file that is not followed, subgraphs of other operators than Loop and If, sparse tensors,
///         negative or huge extents, constants of another size than their shape, numbers that are not finite
///         (check_finite), duplicate or missing names, cycles
OnnxGraph read_onnx(std::span<const std::byte> bytes, const OnnxLimits& limits = {},
                    ExternalData* external = nullptr);

}  // namespace calo::infer
