#pragma once

#include <optional>
#include <string>

namespace calo {

/// PDG number of a particle: 22 for "22", "photon" and "gamma". Case does not matter.
/// @return none if the string is neither a whole number nor a known name
std::optional<int> particle_id(const std::string& particle);

}  // namespace calo
