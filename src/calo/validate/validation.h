#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "calo/io/shower_reader.h"
#include "calo/validate/classifier.h"

namespace calo {

struct ValidateOptions {
  double threshold_mev = 0;  ///< cells below are left out on both sides
  ClassifierOptions classifier;
};

/// One observable in one group, full against fast.
struct Comparison {
  std::string name;   ///< "longitudinal_first_moment"
  std::string title;  ///< "Longitudinal first moment"
  std::string unit;   ///< of the axis
  bool is_profile = false;
  bool log_y = false;
  std::vector<double> edges;       ///< bins, one more than values
  std::vector<double> full, fast;  ///< densities normalised to 1, or profile means
  std::vector<double> full_error, fast_error;
  double full_mean = 0, fast_mean = 0;  ///< of the values (profiles: of the position, energy-weighted)
  double full_mean_error = 0, fast_mean_error = 0;
  double jensen_shannon = 0;      ///< bits
  double ks = 0, ks_p_value = 1;  ///< of the shower values; not for profiles and cell energies
  bool has_ks = false;
  double wasserstein = 0;  ///< in `unit`
};

/// Showers of one geometry, energy (or bin of energies) and angle.
struct ConditionComparison {
  std::string name;
  std::string geometry;
  double energy_gev = 0;  ///< mean incident energy of the full showers
  double angle_deg = 0;
  std::int64_t full_showers = 0, fast_showers = 0;
  std::vector<Comparison> observables;
  std::vector<Comparison> layers;  ///< energy in each layer over the incident energy

  const Comparison& observable(const std::string& name) const;
};

/// A classifier that was trained to tell fast from full showers of all conditions.
struct ClassifierTest {
  Classification classification;
  Comparison scores;  ///< of the test showers
};

/// Cells that are no energies, and are left out.
struct BadCells {
  std::int64_t not_finite = 0, negative = 0;

  bool any() const { return not_finite + negative > 0; }
};

struct Validation {
  std::vector<ConditionComparison> groups;
  std::vector<ClassifierTest> classifiers;        ///< none where there are too few showers
  std::int64_t classified_showers = 0;            ///< of each side
  std::vector<std::string> only_full, only_fast;  ///< groups without a partner
  BadCells full_bad_cells, fast_bad_cells;
  double threshold_mev = 0;

  /// Why there is no classifier; empty where there is one.
  std::string no_classifier_reason() const;

  /// `{"groups": […], "summary": {name → number}}`; doc/validation.md describes it.
  nlohmann::json to_json() const;
  /// Largest deviation over the groups, and means: what the Metrics artifact carries.
  nlohmann::json summary() const;
};

/// Compares full with fast showers for each geometry, energy and angle, with the observables of MLFastSim
/// (utils/observables.py): profiles, their first and second moments (cell index x cell size, energy-weighted,
/// mm), response, cell energies, energy per layer; and trains a classifier (classifier.h) on as many fast as
/// full showers of each condition. Reads both once; keeps a few numbers for each shower and layer, not the
/// showers; the order of showers does not matter beyond rounding, except to the classifier's split.
/// @throws core::InputError where the meshes differ, are not regular, or no condition is on both sides
Validation validate(ShowerReader& full, ShowerReader& fast, const ValidateOptions& options,
                    core::ThreadPool& pool);

}  // namespace calo
