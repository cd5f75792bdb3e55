#pragma once

#include <filesystem>
#include <memory>

#include "calo/io/layouts/shower_layout.h"

namespace calo::layouts {

/// True if the layout has one file, with one geometry and one angle, at this path; false for a folder.
bool is_one_file(const std::filesystem::path& path);

/// @throws core::UsageError if the layout cannot store the showers: energies not in whole GeV, phi, angles
///         with more than 4 digits after the point, or too many times
void check_mlfastsim(const Wanted& wanted);

/// Writer of a folder of `GEO/GEO_angle_DEG.h5`, or of one such file if the path ends in .h5 or .hdf5.
std::unique_ptr<ShowerWriter> create_mlfastsim(const std::filesystem::path& path, const WriteOptions& options,
                                               core::ThreadPool& pool);

}  // namespace calo::layouts
