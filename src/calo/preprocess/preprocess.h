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
  /// Share of bad showers (non-finite or negative cells, empty, incident energies that are none) and of
  /// dropped showers (those and the ones out of range) above which nothing is written.
  double max_bad_fraction = 1;
  double max_dropped_fraction = 1;
  /// Share of each group of equal conditions that is set aside for validation; energies that differ from
  /// shower to shower are grouped in ten bins a decade.
  double holdout_fraction = 0;
  std::uint64_t seed = 42;
  double max_energy_mev = 0;  ///< E_max of the encoding; 0 = the largest incident energy
  double max_theta_deg = 90;
  std::vector<std::string> one_hot_order = {"SciPb", "SiW"};
  nlohmann::json provenance;
};

/// What preprocess() met and wrote.
struct PreprocessReport {
  CleaningReport cleaning;
  std::int64_t training_showers = 0;
  std::int64_t holdout_showers = 0;
  std::int64_t num_hits = 0;   ///< of the showers kept
  std::int64_t num_cells = 0;  ///< of one shower
  /// Mean of total over incident energy, and number, by group ("SiW, 64 GeV, 90 deg").
  struct Group {
    std::string name;
    std::int64_t showers = 0;
    double response = 0;
  };
  std::vector<Group> groups;
  std::int64_t bad_energies = 0;      ///< incident energies that are not finite and positive; dropped
  std::int64_t repeated_showers = 0;  ///< showers that are in the data before; kept
  /// What is odd, what was not read, and files that are no HDF5, named relative to the data.
  std::vector<Remark> notes, not_read;
  std::vector<std::filesystem::path> other_files;

  nlohmann::json to_json() const;
  std::string to_markdown() const;
};

/// Cleans, splits and writes a prepared data set into an existing folder (the caller stages it):
/// `train.h5` and `holdout.h5` (sparse layout; the second only where holdout_fraction > 0), `transform.json`,
/// `report.json`, `report.md`, `calopipe.json`. Streams: memory does not grow with the data.
/// Logs warnings of what is odd and what was not read.
/// @throws core::InputError (a limit is passed, nothing is left, a geometry that has no place in the one-hot,
///         incident energies in GeV)
PreprocessReport preprocess(ShowerReader& reader, const PreprocessOptions& options,
                            const std::filesystem::path& folder, core::ThreadPool& pool);

/// Order of the one-hot where nobody gives one: Par04's (SciPb, SiW) for these two, and for geometries that
/// files do not name, so that nothing is encoded under a wrong name; else the data's own. A layered mesh is
/// none of Par04's: always the data's own.
std::vector<std::string> default_encoding(const DatasetInfo& info);

/// Reads the transform of a prepared data set. @throws core::InputError if the folder is none
Transform read_transform(const std::filesystem::path& prepared_folder);

/// Name of the group that a shower belongs to: geometry, energy (its bin where `discrete` is false), angle.
std::string condition_group(const Conditions& condition, const std::string& geometry, bool discrete);

/// Whether the incident energies are a few values (64 at most) rather than a spectrum.
bool has_discrete_energies(const std::vector<Conditions>& conditions);

/// The showers that a path stands for: the held-out ones of a prepared folder; else the path itself.
std::filesystem::path held_out_showers(const std::filesystem::path& path);

}  // namespace calo
