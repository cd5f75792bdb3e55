#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "calo/model/model_folder.h"
#include "calo/onnx/contract.h"

namespace calo {

/// The generator of a model of any architecture as an ONNX file (its bytes): what goes in and comes out is
/// the contract's (doc/onnx.md), and the properties of the file say how it is called
/// (infer::GeneratorProperties).
///
/// @param provenance of the conversion; stored in the model's properties beside mesh, conditions and units
/// @throws core::InputError: an architecture that is not known here, a tensor that is missing, or a model
///         larger than 2 GiB
std::string generator_graph(const ModelFolder& model, const ContractMapping& mapping,
                            const nlohmann::json& provenance);

}  // namespace calo
