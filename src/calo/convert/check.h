#pragma once

#include <cstdint>
#include <string>

#include "calo/convert/contract.h"
#include "calo/model/model_folder.h"

namespace calo {

/// Largest difference between a converted model and the model it was made of that is let through, relative to
/// the largest cell of the shower.
constexpr double kConversionTolerance = 1e-5;
/// The same of a cascade, where rounding adds up from split to split …
constexpr double kCascadeTolerance = 1e-3;
/// … and an outcome on the edge may be another one, after which the shower is: this share must be the same.
constexpr double kCascadeSameShare = 0.75;

struct ConversionCheck {
  std::int64_t showers = 0, same = 0;  ///< compared, and within the tolerance
  double largest_difference = 0;       ///< of those, relative to the largest cell of the shower
};

/// Runs a converted model against the model it was made of: ONNX's own checker, then showers of random noise,
/// energies, angles (over the range of the training) and geometries, called as the contract's user does,
/// against LibTorch (TorchModule::decode) or, of a cascade, against the engine's sampler.
///
/// @param bytes the ONNX file
/// @throws core::Error (internal) if showers differ, or a cell is not finite
ConversionCheck check_generator(const std::string& bytes, const ModelFolder& model,
                                const ContractMapping& mapping, std::int64_t showers, std::uint64_t seed);

}  // namespace calo
