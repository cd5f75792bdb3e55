#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "calo/io/shower_reader.h"
#include "calo/validate/features.h"
#include "calo/validate/observables.h"
#include "core/thread_pool.h"

namespace calo {

/// Cells that are no energies, and are left out.
struct BadCells {
  std::int64_t not_finite = 0, negative = 0;

  bool any() const { return not_finite + negative > 0; }
};

/// What is kept of the showers of one condition: numbers of each shower, not its cells. Showers are in the
/// order of their fingerprints, so that nothing depends on their order in the file.
struct GroupSample {
  std::string geometry;
  double angle_deg = 0;
  std::size_t showers = 0;
  std::vector<double> incident_mev;                                      ///< [shower]
  std::array<std::vector<double>, std::size(kObservables)> observables;  ///< [observable][shower]
  std::array<std::vector<std::vector<float>>, std::size(kLayerObservables)>
      layers;                                            ///< [observable][layer][shower]
  std::vector<std::vector<float>> ring_mev, sector_mev;  ///< [ring or sector][shower]
  std::vector<float> log_sum;                            ///< [shower], of the cells' log10(E / MeV)
  std::vector<std::uint64_t> fingerprints;               ///< [shower]
  std::vector<std::int64_t> places;                      ///< [shower], in the file
  FeatureTable high_level, calochallenge;                ///< rows: showers
  std::vector<std::vector<float>> cell_counts;           ///< [bin of log10(E / MeV)][shower]
  std::vector<double> mean_cell_mev;                     ///< [cell] mean energy
  Showers examples;                                      ///< a few, to look at
  std::int64_t empty_showers = 0;

  double mean_energy_gev() const;
};

/// One side of a comparison.
struct ShowerSample {
  std::map<std::string, GroupSample> groups;  ///< by condition_group()
  BadCells bad_cells;
};

/// Showers of each group, by its name.
std::map<std::string, std::size_t> count_groups(const ShowerReader& reader, bool discrete);

struct SampleOptions {
  double threshold_mev = 0;
  bool discrete = true;      ///< energies: see has_discrete_energies()
  std::size_t examples = 2;  ///< showers of each group to keep
};

/// Reads all showers once, in batches, their features in parallel.
/// @param like keep as examples those whose energies are nearest to the examples of this sample
ShowerSample read_sample(ShowerReader& reader, const SampleOptions& options, const char* label,
                         const ShowerSample* like, core::ThreadPool& pool);

/// Showers at some places of the file, in the order given.
Showers read_places(ShowerReader& reader, const std::vector<std::int64_t>& places);

}  // namespace calo
