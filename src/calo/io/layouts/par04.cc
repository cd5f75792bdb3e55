#include "calo/io/layouts/arrays.h"
#include "calo/io/layouts/held.h"

namespace calo::layouts {

const ShowerLayout kPar04{
    .layout = Layout::kPar04,
    .matches = [](const hdf5::File& file) { return file.has("incident_energy") && file.has("showers"); },
    .open =
        [](const hdf5::File& file, const ReadOptions& options) {
          return open_arrays(file, options, {.energy = "incident_energy", .axes = kRPhiZ});
        },
    .check =
        [](const Wanted& wanted) {
          require_regular_mesh(wanted);
          require_one_geometry(wanted, "mlfastsim or calopipe");
        },
    .holds_several_geometries = [](const std::filesystem::path&) { return false; },
    .create = [](const std::filesystem::path& path, const WriteOptions& options,
                 core::ThreadPool& pool) { return create_arrays(path, options, false, pool); }};

}  // namespace calo::layouts
