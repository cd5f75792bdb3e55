#pragma once

#include "calo/model/model_folder.h"
#include "calo/onnx/contract.h"
#include "calo/onnx/graph_builder.h"

namespace calo {

/// Adds the decoder of a variational autoencoder to a graph, with the preprocessing inverted: what goes in
/// and comes out is the contract's (doc/onnx.md). Batch normalisation and the encoding of the conditions are
/// folded into the weights; what is not above zero (linear output) is zero.
///
/// The sigmoid at the end is written as 1 / (1 + exp(-x)), with the sign in the weights: the Sigmoid operator
/// of onnxruntime is good to 1e-7 absolute only, which at 100 GeV is 10 keV in every cell, far above the 0.5
/// keV that Par04 reads out.
///
/// @throws core::InputError if a tensor is missing or an activation is not known
void vae_graph(GraphBuilder& graph, const ModelFolder& model, const ContractMapping& mapping);

}  // namespace calo
