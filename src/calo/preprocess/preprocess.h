#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "calo/io/shower_reader.h"
#include "calo/preprocess/transform.h"
#include "calo/shower/cleaning.h"

namespace calo {

struct PreprocessOptions {
  CleaningOptions cleaning;
  /// Share of bad showers (non-finite or negative cells, empty, invalid incident energies) and of dropped
  /// showers (the bad ones and those out of range) above which nothing is written.
  double max_bad_fraction = 1;
  double max_dropped_fraction = 1;
  /// Share of each group of equal conditions that is kept for validation; if energies vary continuously,
  /// groups have ten bins per decade.
  double holdout_fraction = 0;
  std::uint64_t seed = 42;
  double max_energy_mev = 0;  ///< E_max of the encoding; 0 = the largest incident energy
  double max_theta_deg = 90;
  std::vector<std::string> one_hot_order = {"SciPb", "SiW"};
  nlohmann::json provenance;
};

/// Statistics of the input and output of preprocess().
struct PreprocessReport {
  CleaningReport cleaning;
  std::int64_t training_showers = 0;
  std::int64_t holdout_showers = 0;
  std::int64_t num_hits = 0;   ///< number in the kept showers
  std::int64_t num_cells = 0;  ///< number in one shower
  /// A group of equal conditions ("SiW, 64 GeV, 90 deg"): number of showers, and mean of total over incident
  /// energy.
  struct Group {
    std::string name;
    std::int64_t showers = 0;
    double response = 0;
  };
  std::vector<Group> groups;
  std::int64_t bad_energies = 0;      ///< incident energies that are not finite and positive; dropped
  std::int64_t repeated_showers = 0;  ///< showers that equal an earlier one; kept
  /// Remarks on unusual data, on what was not read, and files that are not HDF5; paths are relative to the
  /// data.
  std::vector<Remark> notes, not_read;
  std::vector<std::filesystem::path> other_files;

  nlohmann::json to_json() const;
  std::string to_markdown() const;
};

/// Cleans, splits and writes a prepared data set into an existing folder (the caller stages it): `train.h5`
/// and `holdout.h5` (sparse layout; the second only if holdout_fraction > 0), `transform.json`,
/// `report.json`, `report.md`, `calopipe.json`. The memory does not grow with the data. Logs warnings of
/// unusual data and of what was not read.
/// @throws core::InputError (a limit is exceeded, no shower is left, a geometry is not in the one-hot,
///         incident energies are in GeV)
PreprocessReport preprocess(ShowerReader& reader, const PreprocessOptions& options,
                            const std::filesystem::path& folder, core::ThreadPool& pool);

/// Default order of the one-hot: Par04's (SciPb, SiW) for these two, and for geometries that files do not
/// name, so that no wrong name is encoded; otherwise the data's own. For a layered mesh, which Par04 does not
/// have, always the data's own.
std::vector<std::string> default_encoding(const DatasetInfo& info);

/// Reads the transform of a prepared data set. @throws core::InputError if the folder is not one
Transform read_transform(const std::filesystem::path& prepared_folder);

/// Name of a shower's group: geometry, energy (its bin if `discrete` is false), angle.
std::string condition_group(const Conditions& condition, const std::string& geometry, bool discrete);

/// True if the incident energies are a few values (at most 64) instead of a spectrum.
bool has_discrete_energies(const std::vector<Conditions>& conditions);

/// Path of showers: the held-out ones of a prepared folder, or the path itself.
std::filesystem::path held_out_showers(const std::filesystem::path& path);

}  // namespace calo
