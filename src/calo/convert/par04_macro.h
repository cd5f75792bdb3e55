#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "calo/model/model_folder.h"
#include "calo/onnx/contract.h"

namespace calo {

/// Contents of a macro for the Geant4 example Par04.
struct Par04MacroOptions {
  std::vector<double> energies_gev;       ///< empty = 10 GeV, or the nearest energy in the training
  std::vector<double> angles_deg = {90};  ///< polar angles; 90 = across the barrel
  std::int64_t events = 100;              ///< number for each energy and angle
  std::string model_path;  ///< path that Par04 opens, relative to the folder in which it is started
};

/// A macro that makes the unmodified example Par04 (Geant4 11.4) generate showers with a converted model:
/// detector and readout mesh, inference, and one run for each energy and angle. The commands are those of
/// Par04DetectorMessenger, Par04InferenceMessenger and Par04ParallelMessenger.
/// @throws core::UsageError if the detector cannot have an energy or angle
std::string par04_macro(const ModelFolder& model, const ContractMapping& mapping,
                        const Par04MacroOptions& options);

}  // namespace calo
