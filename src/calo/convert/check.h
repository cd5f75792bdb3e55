#pragma once

#include <cstdint>
#include <string>

#include "calo/convert/contract.h"
#include "calo/model/model_folder.h"

namespace calo {

/// Largest difference between a converted model and LibTorch that is let through, relative to the largest
/// cell of the shower.
constexpr double kConversionTolerance = 1e-5;

/// Runs a converted model against the model it was made of: ONNX's own checker, then showers of random noise,
/// energies, angles (over the range of the training) and geometries, called as the contract's user does,
/// against LibTorch (TorchModule::decode).
///
/// @param bytes the ONNX file
/// @returns the largest difference of any cell, relative to the largest cell of its shower
/// @throws core::Error (internal) above kConversionTolerance, or where a cell is not finite
double check_generator(const std::string& bytes, const ModelFolder& model, const ContractMapping& mapping,
                       std::int64_t showers, std::uint64_t seed);

}  // namespace calo
