#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "calo/io/axes.h"
#include "calo/io/layouts/shower_layout.h"

namespace calo::layouts {

/// The layouts par04 and calochallenge: dense `showers`, and a column for each condition.
struct ArrayNames {
  std::string energy;  ///< dataset of the incident energies, MeV
  Axes axes;           ///< order of the axes of `showers`
};

/// Reads the datasets `incident_theta`, `incident_phi` (rad) and `sim_time_s` if the file has them; without
/// `incident_theta`, the angle is 90 degrees.
/// @throws core::InputError if a column does not have one entry per shower
Content open_arrays(const hdf5::File& file, const ReadOptions& options, const ArrayNames& names);

/// Writer of one file with dense cells and columns of conditions.
/// @param flat  true as in the CaloChallenge: flat cells in the order [z, phi, r], and angles only if they
///        are not 90 degrees and 0; false as in Par04: cells [r, phi, z]
std::unique_ptr<ShowerWriter> create_arrays(const std::filesystem::path& path, const WriteOptions& options,
                                            bool flat, core::ThreadPool& pool);

/// Geometry of a file that has only one: the user's, its attribute `geometry`, the one in its name, or
/// "unknown". Notes differences.
std::string geometry_of(const hdf5::File& file, const ReadOptions& options, const std::string& name_says,
                        std::vector<Remark>& notes);

/// Column with one number per shower, [N] or [N, 1].
/// @throws core::InputError if it has another shape
std::vector<float> read_column(const hdf5::File& file, const std::string& name, std::size_t rows);

}  // namespace calo::layouts
