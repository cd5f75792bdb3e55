#pragma once

#include <cstdint>
#include <string>

#include "calo/model/model_folder.h"
#include "calo/onnx/contract.h"

namespace calo {

struct ConversionCheck {
  std::int64_t showers = 0, same = 0;  ///< numbers of showers: compared, and within the tolerance
  double largest_difference =
      0;  ///< largest difference of these showers, relative to the largest cell of the shower
};

/// Compares a converted model with the model that it was made from: ONNX's own checker, then showers of
/// random noise, energies, angles (over the range of the training) and geometries. The file is called as a
/// user of the contract calls it, with the engine's operators one by one; the reference is
/// Architecture::reference_mev().
///
/// @param bytes the ONNX file
/// @throws core::Error (internal) if showers differ, or a cell is not finite
ConversionCheck check_generator(const std::string& bytes, const ModelFolder& model,
                                const ContractMapping& mapping, std::int64_t showers, std::uint64_t seed);

}  // namespace calo
