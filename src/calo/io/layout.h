#pragma once

#include <string>
#include <vector>

namespace calo {

/// File layouts for showers.
enum class Layout {
  kMlFastSim,      ///< folder of `<GEO>/<GEO>_angle_<deg>.h5`, or one such file
  kPar04,          ///< Geant4's example Par04, `training_vae/root2h5.py`
  kCaloChallenge,  ///< CaloChallenge 2022
  kCalopipe,       ///< calopipe's own, sparse (doc/formats.md)
};

/// "mlfastsim", "par04", "calochallenge", "calopipe".
std::string to_string(Layout layout);
/// Names of all layouts.
std::vector<std::string> layout_names();
/// @throws core::UsageError listing the names
Layout parse_layout(const std::string& name);

}  // namespace calo
