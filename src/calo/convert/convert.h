#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "calo/convert/check.h"
#include "calo/convert/par04_macro.h"
#include "calo/model/model_folder.h"
#include "calo/onnx/contract.h"

namespace calo {

struct ConvertOptions {
  Contract contract = Contract::kPlain;
  std::string geometry;  ///< geometry that Par04 simulates; empty = SiW
  std::int64_t check_showers = 16;
  std::uint64_t seed = 42;  ///< seed of the check
  /// Path of a macro for Par04; empty = no macro. Not for `plain`.
  std::filesystem::path macro_file;
  Par04MacroOptions macro;
  nlohmann::json provenance = nlohmann::json::object();
};

struct ConvertReport {
  ConversionCheck check;
  std::int64_t bytes = 0;  ///< size of the ONNX file
};

/// Writes a model's generator as an ONNX file that was read back and checked first (check_generator).
/// @throws core::UsageError (the contract does not fit the model), core::Error (internal: the check failed;
///         nothing is written), core::UnavailableError (disk)
ConvertReport convert(const ModelFolder& model, const ConvertOptions& options,
                      const std::filesystem::path& out);

}  // namespace calo
