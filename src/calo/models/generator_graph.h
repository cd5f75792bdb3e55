#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "calo/model/model_folder.h"
#include "calo/onnx/contract.h"

namespace calo {

/// The generator of a model of any architecture as the bytes of an ONNX file. The contract defines inputs and
/// outputs (doc/onnx.md), and the properties of the file say how to call it (infer::GeneratorProperties).
///
/// @param provenance of the conversion; stored in the model's properties with mesh, conditions and units
/// @throws core::InputError: an unknown architecture, a missing tensor, or a model larger than 2 GiB
std::string generator_graph(const ModelFolder& model, const ContractMapping& mapping,
                            const nlohmann::json& provenance);

}  // namespace calo
