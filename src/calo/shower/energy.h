#pragma once

#include <string>

namespace calo {

/// An incident energy in GeV, as the number that is written shortest among those that name it: files hold
/// float32 MeV, and 4194304 MeV are 4.194304e+03 GeV, not 4194.303999999998.
double energy_gev(double energy_mev);

/// "64", "4194.304": with as few digits as tell an energy from another one beyond the rounding of float32.
std::string energy_text(double gev);

}  // namespace calo
