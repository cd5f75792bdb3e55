#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "calo/validate/distances.h"
#include "calo/validate/sample.h"
#include "core/thread_pool.h"

namespace calo {

/// One observable in one group, full against fast. Histograms have even bins whose range is the full
/// simulation's with a tenth more on both sides, so that those of several models lie over each other; what is
/// outside counts in the first and last bin.
struct Comparison {
  std::string name;   ///< "longitudinal_first_moment"
  std::string title;  ///< "Longitudinal first moment"
  std::string unit;   ///< of the axis
  bool is_profile = false;
  bool log_y = false;
  double low = 0, high = 1;        ///< of the axis
  std::vector<double> full, fast;  ///< entries of the bins; profiles: mean energy of a shower, MeV
  std::vector<double> full_error, fast_error;
  double full_entries = 0, fast_entries = 0;  ///< showers, what entries are divided by to compare
  double full_mean = 0, fast_mean = 0;        ///< of the values (profiles: of the position, energy-weighted)
  double full_mean_error = 0, fast_mean_error = 0;
  /// Standard deviation of the values of single showers (not of profiles and cell energies).
  double full_deviation() const { return full_mean_error * std::sqrt(full_entries); }
  double fast_deviation() const { return fast_mean_error * std::sqrt(fast_entries); }
  DistanceEstimates distances;  ///< those that has() says
  ChiSquared chi_squared;       ///< not of profiles
  /// Of the Kolmogorov–Smirnov test of the shower values; none of profiles and cell energies.
  double ks_p_value = 1;
  double corrected_p_value = 1;  ///< by holm(), for all p-values of the validation
  bool has_ks = false;
  /// Of profiles and cell energies only the histograms are known.
  bool has(const Distance& distance) const { return has_ks || distance.of_histograms != nullptr; }
};

/// Pearson correlations of the layers' shares of the incident energy.
struct Correlations {
  std::vector<double> full, fast;  ///< [layer, layer]; 0 if a layer has no spread
  Estimate mean_difference;        ///< mean of |fast − full| off the diagonal
};

/// Fewest showers of each side whose correlations are looked at.
constexpr std::size_t kFewestCorrelated = 30;

/// One kind of number of all layers.
struct LayeredComparison {
  std::string name, title;
  std::vector<Comparison> layers;
};

struct ComparisonOptions {
  std::uint64_t seed = 42;
  std::size_t replicas = 30;  ///< of the bootstrap, for errors; 0 = no errors
  std::size_t halves = 10;    ///< pairs of halves of the full sample, for floors; 0 = no floors
};

/// Showers of one geometry, energy (or bin of energies) and angle.
struct ConditionComparison {
  std::string name;
  std::string geometry;
  double energy_gev = 0;  ///< mean incident energy of the full showers
  double angle_deg = 0;
  std::int64_t full_showers = 0, fast_showers = 0;
  std::int64_t full_empty = 0, fast_empty = 0;  ///< of them without any energy
  std::vector<Comparison> observables;
  std::vector<LayeredComparison> layered;            ///< as kLayerObservables
  Correlations correlations;                         ///< empty for few showers
  std::vector<double> full_cell_mev, fast_cell_mev;  ///< mean energy of each cell
  Showers full_examples, fast_examples;              ///< to look at, pairs of equal energy

  const Comparison& observable(const std::string& name) const;
  /// Energy in each layer over the incident energy.
  const std::vector<Comparison>& layers() const {
    return layered[layer_observable_index("layer_energy")].layers;
  }
};

/// @param full,fast the mean cells and examples are moved out of them
ConditionComparison compare_groups(const std::string& name, GroupSample& full, GroupSample& fast,
                                   const MeshAxes& axes, const ComparisonOptions& options,
                                   core::ThreadPool& pool);

}  // namespace calo
