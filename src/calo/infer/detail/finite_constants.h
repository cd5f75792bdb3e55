#pragma once

#include "calo/infer/onnx_graph.h"

namespace calo::infer {

/// Refuses a graph whose constants or attributes hold what makes a model useless: NaN anywhere, and
/// infinities in weights. An infinity is let through where the graph uses it as others do on purpose: as a
/// bound or mask (Clip, Min, Max, Where, Pad, comparisons), also through operators that only move numbers,
/// and added to what goes into a Softmax.
/// @throws core::InputError naming the tensor or node, the place in it, and how many there are
void check_finite(const OnnxGraph& graph);

}  // namespace calo::infer
