#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace calo::layouts {

/// Contents of the name of an MLFastSim file: `<GEO>_angle_<deg>.h5`, in any case, with any text after the
/// number, as Geant4's converters write it ("SiW_Angle_90_1000showers_0.h5").
struct MlFastSimName {
  std::string geometry;
  std::optional<double> angle_deg;  ///< not checked against its range
  double rounding_deg = 0;          ///< half a unit of the last digit in the name
  std::string problem;              ///< reason why a number in the name is not an angle
};

/// None if the name has no `_angle_`.
std::optional<MlFastSimName> parse_file_name(const std::filesystem::path& file);

/// Incident energy in a dataset's name: a number above 0, in GeV or with a unit ("64", "64.0", "64GeV",
/// "64 GeV", "64000_MeV").
std::optional<double> energy_gev_of(const std::string& dataset);

}  // namespace calo::layouts
