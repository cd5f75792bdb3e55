#pragma once

#include <cstdint>
#include <string>

#include "calo/model/model_folder.h"
#include "calo/onnx/contract.h"

namespace calo {

struct ConversionCheck {
  std::int64_t showers = 0, same = 0;  ///< compared, and within the tolerance
  double largest_difference = 0;       ///< of those, relative to the largest cell of the shower
};

/// Runs a converted model against the model it was made of: ONNX's own checker, then showers of random noise,
/// energies, angles (over the range of the training) and geometries, called as the contract's user does, by
/// the engine's operators one by one, against Architecture::reference_mev().
///
/// @param bytes the ONNX file
/// @throws core::Error (internal) if showers differ, or a cell is not finite
ConversionCheck check_generator(const std::string& bytes, const ModelFolder& model,
                                const ContractMapping& mapping, std::int64_t showers, std::uint64_t seed);

}  // namespace calo
