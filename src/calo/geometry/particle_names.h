#pragma once

#include <optional>
#include <string>

namespace calo {

/// The PDG's number of a particle: "22", "photon" and "gamma" are 22. Case does not matter.
/// @return none if the text is neither a whole number nor a name that is known
std::optional<int> particle_id(const std::string& particle);

}  // namespace calo
