#include "calo/io/layouts/arrays.h"
#include "calo/io/layouts/held.h"

namespace calo::layouts {

const ShowerLayout kCaloChallenge{
    .layout = Layout::kCaloChallenge,
    .matches = [](const hdf5::File& file) { return file.has("incident_energies") && file.has("showers"); },
    .open =
        [](const hdf5::File& file, const ReadOptions& options) {
          return open_arrays(file, options, {.energy = "incident_energies", .axes = kZPhiR});
        },
    .check = [](const Wanted& wanted) { require_one_geometry(wanted, "mlfastsim or calopipe"); },
    .holds_several_geometries = [](const std::filesystem::path&) { return false; },
    .create = [](const std::filesystem::path& path, const WriteOptions& options,
                 core::ThreadPool& pool) { return create_arrays(path, options, true, pool); }};

}  // namespace calo::layouts
