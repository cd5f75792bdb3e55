#pragma once

#include <cstdint>

#include "calo/model/model_folder.h"
#include "calo/onnx/contract.h"
#include "calo/onnx/graph_builder.h"

namespace calo {

/// Normal numbers that a shower of a cascade is made of: two for each split, whether it has energy or not.
/// The first chooses (the class and the component), the second is the place within the component.
std::int64_t cascade_latent_dim(const ModelFolder& model);

/// Adds the generator of a splitting cascade (doc/cascade.md) to a graph: the split in depth as a Loop over
/// the intervals of layers, then a Loop over the layers, in order of depth, whose steps split rings and
/// halves in phi. Every split is computed, also of what has no energy. Constants have the names of the
/// model's tensors, `_` for `.`; weights are `[in, out]`.
///
/// From normal numbers that are the quantiles of the sampler's uniform ones, the graph makes the sampler's
/// showers within the rounding of float32.
///
/// @throws core::InputError if a tensor of the model is missing
void cascade_graph(GraphBuilder& graph, const ModelFolder& model, const ContractMapping& mapping);

}  // namespace calo
