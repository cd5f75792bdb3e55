#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "calo/io/shower_reader.h"
#include "calo/validate/classification.h"
#include "calo/validate/comparison.h"
#include "calo/validate/energy_scan.h"
#include "calo/validate/feature_distances.h"
#include "calo/validate/run_classifiers.h"
#include "calo/validate/score.h"

namespace calo {

struct ValidateOptions {
  double threshold_mev = 0;  ///< cells below are left out on both sides
  std::string geometry;      ///< of a side that holds one, or does not name it; empty = as the files say
  ClassifierOptions classifiers;
  ComparisonOptions comparison;
  PhysicsDistanceOptions distances;
  bool only_observables = false;         ///< no scores of the whole samples, no classifiers
  std::int64_t most_neighbours = 5'000;  ///< showers of each side that precision, recall … look at
};

/// What making a shower costs; 0 = nobody knows.
struct ShowerCost {
  double seconds_per_shower = 0;       ///< of one thread, mean
  double peak_memory_bytes = 0;        ///< of the program
  double memory_per_shower_bytes = 0;  ///< of each shower that is made at a time
};

struct Validation {
  std::vector<ConditionComparison> groups;
  std::vector<EnergyScan> scans;
  std::vector<Score> scores;
  std::vector<Classification> classifiers;  ///< trained on all conditions; none if there are too few showers
  std::int64_t classified_showers = 0;      ///< of each side
  std::vector<std::string> only_full, only_fast;  ///< groups without a partner
  BadCells full_bad_cells, fast_bad_cells;
  double threshold_mev = 0;
  ShowerCost full_cost, fast_cost;  ///< as the files say
  VoxelMesh mesh;                   ///< of the full showers; all geometries have its cells
  GeometryMeshes geometry_meshes;   ///< if the cells of the geometries differ in size
  std::int64_t tests = 0;           ///< Kolmogorov–Smirnov tests made
  std::int64_t rejected = 0;        ///< of them below 0.05 after correction for their number

  /// How many fast showers are made in the time of a full one; 0 = unknown.
  double speed_up() const;

  /// Why there is no classifier; empty if there is one.
  std::string no_classifier_reason() const;

  /// `{"groups": […], "scores": …, "summary": {name → number}}`; doc/validation.md describes it.
  nlohmann::json to_json() const;
  /// Largest deviation over the groups, and scores: what the Metrics artifact carries.
  nlohmann::json summary() const;
};

/// Compares full with fast showers for each geometry, energy and angle with the observables of MLFastSim and
/// the CaloChallenge (observables.h), and as a whole with separation powers, FPD, KPD, precision, recall,
/// density, coverage and classifiers. Reads both once (twice for classifiers of cells); keeps some hundred
/// numbers for each shower. Neither the order of showers nor the number of threads matters.
/// @throws core::InputError, before anything is computed, where the meshes differ, the geometries
///         do (one side may leave its only one unnamed), no condition is on both sides, or the first showers
///         look as if units or the order of cells differed
Validation validate(ShowerReader& full, ShowerReader& fast, const ValidateOptions& options,
                    core::ThreadPool& pool);

}  // namespace calo
