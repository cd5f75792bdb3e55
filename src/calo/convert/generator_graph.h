#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "calo/convert/contract.h"
#include "calo/model/model_folder.h"

namespace calo {

/// Name of the latent noise in the graph: an input of `plain`, drawn inside by `par04-calodit` (and part of
/// the one input of `par04-vae`).
constexpr const char* kLatentName = "latent";

/// Normal numbers that the model makes one shower of.
std::int64_t latent_dim(const ModelFolder& model);

/// The generator half of a model as an ONNX file (its bytes), with the preprocessing inverted: what goes in
/// and comes out is the contract's (doc/onnx.md). Batch normalisation and the encoding of the conditions are
/// folded into the weights; what is not above zero (linear output) is zero, as in Decoder.
///
/// The sigmoid at the end is written as 1 / (1 + exp(-x)), with the sign in the weights: the Sigmoid operator
/// of onnxruntime is good to 1e-7 absolute only, which at 100 GeV is 10 keV in every cell, far above the 0.5
/// keV that Par04 reads out.
///
/// @param provenance of the conversion; stored in the model's properties beside mesh, conditions and units
/// @throws core::InputError: a kind of model that is not known here, or larger than 2 GiB
std::string generator_graph(const ModelFolder& model, const ContractMapping& mapping,
                            const nlohmann::json& provenance);

}  // namespace calo
