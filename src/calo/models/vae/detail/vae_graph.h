#pragma once

#include "calo/model/model_folder.h"
#include "calo/onnx/contract.h"
#include "calo/onnx/graph_builder.h"

namespace calo {

/// Adds the decoder of a variational autoencoder to a graph, with the inverse preprocessing. The contract
/// defines inputs and outputs (doc/onnx.md). Batch normalisation and the encoding of the conditions are
/// included in the weights; values that are not above zero (linear output) become zero.
///
/// The sigmoid at the end is 1 / (1 + exp(-x)), with the sign in the weights: the Sigmoid operator of
/// onnxruntime has an absolute error of 1e-7, which at 100 GeV is 10 keV in every cell, far above the 0.5 keV
/// that Par04 reads out.
///
/// @throws core::InputError if a tensor is missing or an activation is unknown
void vae_graph(GraphBuilder& graph, const ModelFolder& model, const ContractMapping& mapping);

}  // namespace calo
