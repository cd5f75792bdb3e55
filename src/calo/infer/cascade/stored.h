#pragma once

#include <map>
#include <optional>
#include <string>

#include "calo/infer/cascade/trained.h"
#include "calo/infer/onnx_graph.h"

namespace calo::cascade {

/// Property of an ONNX file whose graph is a cascade (doc/onnx.md): its shape, its geometries and the cuts of
/// the layers, as JSON. The constants of the graph are the tensors of the cascade, with `_` for `.` in their
/// names; weights are `[in, out]`.
constexpr const char* kProperty = "calopipe.cascade";

/// The value of the property.
std::string describe(const Trained& model);

/// The cascade that a graph is; none without the property. What its nodes compute is not looked at: `calopipe
/// convert` checks it.
/// @throws core::InputError if the property or a tensor is not as it should be
std::optional<Trained> stored_cascade(const infer::OnnxGraph& graph);

}  // namespace calo::cascade
