#pragma once

#include <string>

namespace calo {

/// Incident energy in GeV, as the number with the shortest decimal form among those that round to it: files
/// have float32 MeV, and 4194304 MeV are 4.194304e+03 GeV, not 4194.303999999998.
double energy_gev(double energy_mev);

/// "64", "4194.304": the fewest digits that distinguish energies that differ by more than the rounding of
/// float32.
std::string energy_text(double gev);

}  // namespace calo
