#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "calo/model/model_folder.h"
#include "calo/onnx/contract.h"

namespace calo {

/// What a macro for the Geant4 example Par04 runs.
struct Par04MacroOptions {
  std::vector<double> energies_gev;       ///< empty = 10 GeV, or the nearest to it in the training
  std::vector<double> angles_deg = {90};  ///< polar angles; 90 = across the barrel
  std::int64_t events = 100;              ///< of each energy and angle
  std::string model_path;                 ///< as Par04 opens it, from the folder that it is started in
};

/// A macro that makes the unmodified example Par04 (Geant4 11.4) generate showers with a converted model:
/// detector and readout mesh, inference, and one run for each energy and angle. Commands are those of
/// Par04DetectorMessenger, Par04InferenceMessenger and Par04ParallelMessenger.
/// @throws core::UsageError: an energy or angle that the detector cannot have
std::string par04_macro(const ModelFolder& model, const ContractMapping& mapping,
                        const Par04MacroOptions& options);

}  // namespace calo
