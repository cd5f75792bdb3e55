#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace calo {

/// A float32 value of a graph, row-major.
struct GraphTensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

using GraphValues = std::map<std::string, GraphTensor>;

/// What an ONNX file computes, straight from the specification of its operators (opset 13): plain loops, sums
/// in double precision. For checking what GraphBuilder wrote; knows the operators of generator_graph() only.
///
/// @param bytes  an ONNX file
/// @param given  the inputs; also values that a node would make (noise), whose node is then left out
/// @returns the outputs
/// @throws core::InputError: no ONNX file, an unknown operator, shapes that do not fit, an input missing
GraphValues evaluate_graph(const std::string& bytes, const GraphValues& given);

}  // namespace calo
