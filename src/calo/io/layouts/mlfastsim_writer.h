#pragma once

#include <filesystem>
#include <memory>

#include "calo/io/layouts/shower_layout.h"

namespace calo::layouts {

/// @throws core::UsageError if the layout cannot hold the showers: whole GeV, no phi, short angles, and so
/// many
///         times
void check_mlfastsim(const Wanted& wanted);

/// A folder of `GEO/GEO_angle_DEG.h5`, or one such file if the path ends in .h5 or .hdf5.
std::unique_ptr<ShowerWriter> create_mlfastsim(const std::filesystem::path& path, const WriteOptions& options,
                                               core::ThreadPool& pool);

}  // namespace calo::layouts
