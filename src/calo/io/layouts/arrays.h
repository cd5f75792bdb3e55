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
  Axes axes;           ///< of `showers`
};

/// Datasets `incident_theta`, `incident_phi` (rad) and `sim_time_s` are read where a file has them; without,
/// the angle is 90 degrees.
/// @throws core::InputError if a column has not one entry a shower
Content open_arrays(const hdf5::File& file, const ReadOptions& options, const ArrayNames& names);

/// One file with dense cells and columns of conditions.
/// @param flat  as in the CaloChallenge: cells in one row, in the order [z, phi, r], and angles only if they
/// are
///        others than 90 degrees and 0; else as in Par04: cells [r, phi, z]
std::unique_ptr<ShowerWriter> create_arrays(const std::filesystem::path& path, const WriteOptions& options,
                                            bool flat, core::ThreadPool& pool);

/// The geometry of a file with one: the user's, its attribute `geometry`, what its name says, or "unknown".
/// Where they differ, it is noted.
std::string geometry_of(const hdf5::File& file, const ReadOptions& options, const std::string& name_says,
                        std::vector<Remark>& notes);

/// A column of one number a shower, [N] or [N, 1].
/// @throws core::InputError if it has another shape
std::vector<float> read_column(const hdf5::File& file, const std::string& name, std::size_t rows);

}  // namespace calo::layouts
