#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace calo::layouts {

/// What the name of an MLFastSim file says: `<GEO>_angle_<deg>.h5`, in any case, with anything behind the
/// number, as Geant4's converters write it ("SiW_Angle_90_1000showers_0.h5").
struct MlFastSimName {
  std::string geometry;
  std::optional<double> angle_deg;  ///< not checked for its range
  double rounding_deg = 0;          ///< half a unit of the last digit that the name has
  std::string problem;              ///< why there is no angle though a number is there
};

/// None where the name has no `_angle_`.
std::optional<MlFastSimName> parse_file_name(const std::filesystem::path& file);

/// Incident energy from a dataset's name: a number above 0, in GeV or with a unit ("64", "64.0", "64GeV",
/// "64 GeV", "64000_MeV").
std::optional<double> energy_gev_of(const std::string& dataset);

}  // namespace calo::layouts
