#include "calo/infer/not_finite.h"

#include <fmt/format.h>

namespace calo::infer {

void refuse(const SpoiltShower& shower) {
  throw NotFiniteError(
      {.message =
           fmt::format("makes cells that are not finite numbers: {} of {} in the shower of {:g} MeV, theta "
                       "{:.4g}, phi {:.4g} "
                       "in {}, the first is cell {}{}, {}; so in {} of {} showers",
                       shower.count, shower.num_cells, shower.energy_mev, shower.theta_rad, shower.phi_rad,
                       shower.geometry, shower.cell, shower.place.empty() ? "" : " (" + shower.place + ")",
                       shower.value, shower.num_showers, shower.of_showers),
       .file = shower.model,
       .field = shower.name,
       .hint =
           "the weights are damaged, the training ran away, or the particle is far outside of it; nothing "
           "of this call is to be used"});
}

}  // namespace calo::infer
