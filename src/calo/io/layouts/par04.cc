#include "calo/io/layouts/arrays.h"

namespace calo::layouts {

const ShowerLayout kPar04{
    .layout = Layout::kPar04,
    .matches = [](const hdf5::File& file) { return file.has("incident_energy") && file.has("showers"); },
    .open =
        [](const hdf5::File& file, const ReadOptions& options) {
          return open_arrays(file, options, {.energy = "incident_energy", .axes = kRPhiZ});
        }};

}  // namespace calo::layouts
