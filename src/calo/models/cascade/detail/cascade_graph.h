#pragma once

#include <cstdint>

#include "calo/model/model_folder.h"
#include "calo/onnx/contract.h"
#include "calo/onnx/graph_builder.h"

namespace calo {

/// Number of normal numbers for a shower of a cascade: two for each split, even if it has no energy. The
/// first chooses the class and the component, the second is the position within the component.
std::int64_t cascade_latent_dim(const ModelFolder& model);

/// Adds the generator of a splitting cascade (doc/cascade.md) to a graph: the split in depth as a Loop over
/// the intervals of layers, then a Loop over the layers in order of depth, whose steps split rings and halves
/// in phi. If the layers differ, their steps follow one another without a Loop. Every split is computed, even
/// without energy. Constants have the names of the model's tensors with
/// `_` instead of `.`; weights are `[in, out]`.
///
/// If the normal numbers are the quantiles of the sampler's uniform numbers, the graph makes the sampler's
/// showers within the rounding of float32.
///
/// @throws core::InputError if a tensor of the model is missing
void cascade_graph(GraphBuilder& graph, const ModelFolder& model, const ContractMapping& mapping);

}  // namespace calo
