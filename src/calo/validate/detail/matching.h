#pragma once

#include "calo/io/shower_reader.h"
#include "core/thread_pool.h"

namespace calo {

/// Finds out from conditions and the first showers whether two data sets of one mesh can be compared.
/// @param have_common whether a condition is on both sides; where none is, energies may be in another unit
/// @throws core::InputError naming what does not match: energies or deposits that differ by the
/// factor of another
///         unit (10³, 10⁶); cells in another order of axes
void check_match(ShowerReader& full, ShowerReader& fast, double threshold_mev, bool have_common);

}  // namespace calo
