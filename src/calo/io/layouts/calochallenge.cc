#include "calo/io/layouts/arrays.h"

namespace calo::layouts {

const ShowerLayout kCaloChallenge{
    .layout = Layout::kCaloChallenge,
    .matches = [](const hdf5::File& file) { return file.has("incident_energies") && file.has("showers"); },
    .open =
        [](const hdf5::File& file, const ReadOptions& options) {
          return open_arrays(file, options, {.energy = "incident_energies", .axes = kZPhiR});
        }};

}  // namespace calo::layouts
