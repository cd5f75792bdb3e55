#include "calo/validate/scores.h"

#include <cmath>
#include <functional>

#include "calo/validate/separation_scores.h"

namespace calo {
namespace {

using Better = Score::Better;

using FeatureDistance = Estimate(const FeatureTable& full, const FeatureTable& fast,
                                 const PhysicsDistanceOptions& options, core::ThreadPool& pool);

// × 10³, with the distance of the two halves as its floor.
std::optional<Estimate> feature_distance(const ScoreInputs& in, FeatureDistance& distance) {
  if (in.sample.size() < kFewestForDistances) return std::nullopt;
  const BalancedTables& tables = in.features();
  Estimate result = distance(tables.full, tables.fast, in.options.distances, in.pool);
  if (tables.first_half.rows() >= kFewestForDistances)
    result =
        with_floor(result, distance(tables.first_half, tables.second_half, in.options.distances, in.pool));
  for (double* number : {&result.value, &result.error, &result.floor, &result.floor_error}) *number *= 1000;
  return result;
}

template <Estimate Neighbourhoods::*Number>
std::optional<Estimate> neighbourhood(const ScoreInputs& in) {
  if (in.sample.size() < kFewestForDistances) return std::nullopt;
  return in.neighbourhoods().*Number;
}

// Mean over the conditions that have the number; their errors are added as if conditions were independent.
std::optional<Estimate> mean_over_conditions(
    const ScoreInputs& in, const std::function<const Estimate*(const ConditionComparison&)>& number_of) {
  Estimate result{.has_floor = true};
  double count = 0;
  for (const ConditionComparison& condition : in.conditions) {
    const Estimate* estimate = number_of(condition);
    if (estimate == nullptr) continue;
    ++count;
    result.value += estimate->value;
    result.error = std::hypot(result.error, estimate->error);
    result.floor += estimate->floor;
    result.floor_error = std::hypot(result.floor_error, estimate->floor_error);
    result.has_floor = result.has_floor && estimate->has_floor;
  }
  if (count == 0) return std::nullopt;
  for (double* number : {&result.value, &result.error, &result.floor, &result.floor_error}) *number /= count;
  return result;
}

std::optional<Estimate> mean_divergence(const ScoreInputs& in, const char* observable) {
  return mean_over_conditions(in, [observable](const ConditionComparison& condition) {
    return &condition.observable(observable).distances.of("jsd");
  });
}

std::optional<Estimate> mean_correlations(const ScoreInputs& in) {
  return mean_over_conditions(in, [](const ConditionComparison& condition) {
    return condition.correlations.full.empty() ? nullptr : &condition.correlations.mean_difference;
  });
}

// How a score is computed and what the report says of it.
struct Row {
  const char* name;   // the key in metrics.json
  const char* title;  // in the report
  const char* group;
  Better better;
  const char* help;
  // Nothing if the samples do not allow it: too few showers, no such layers.
  std::optional<Estimate> (*compute)(const ScoreInputs& in);
  const char* help_of_layered_mesh = help;
};

constexpr const char* kFeatureDistances = "Distances of features";
constexpr const char* kNeighbourhoods = "Neighbourhoods";
constexpr const char* kSeparations = "Separation powers";
constexpr const char* kMeans = "Means over conditions";

constexpr Row kScores[] = {
    {"fpd", "Fréchet physics distance × 10³", kFeatureDistances, Better::kLow,
     "Of the CaloChallenge's high-level features, extrapolated to large samples (arXiv:2211.10295). Samples "
     "below 50 000 showers leave a bias that the floor has too.",
     [](const ScoreInputs& in) { return feature_distance(in, frechet_physics_distance); }},
    {"kpd", "Kernel physics distance × 10³", kFeatureDistances, Better::kLow,
     "Maximum mean discrepancy of the same features with a polynomial kernel; 0 within its error for equal "
     "samples (arXiv:2211.10295).",
     [](const ScoreInputs& in) { return feature_distance(in, kernel_physics_distance); }},
    {"precision", "Precision", kNeighbourhoods, Better::kHigh,
     "Share of the fast showers that lie among full ones (arXiv:2002.09797, 5 neighbours).",
     neighbourhood<&Neighbourhoods::precision>},
    {"recall", "Recall", kNeighbourhoods, Better::kHigh,
     "Share of the full showers that lie among fast ones.", neighbourhood<&Neighbourhoods::recall>},
    {"density", "Density", kNeighbourhoods, Better::kHigh,
     "Full neighbourhoods that a fast shower lies in, over those expected; 1 where equal.",
     neighbourhood<&Neighbourhoods::density>},
    {"coverage", "Coverage", kNeighbourhoods, Better::kHigh,
     "Share of the full showers that have a fast one nearby.", neighbourhood<&Neighbourhoods::coverage>},
    {"separation_response", "E_tot / E_inc", kSeparations, Better::kLow,
     "100 bins from 0.5 to 1.5, all conditions together.", response_separation},
    {"separation_layer_energy", "Layer energies", kSeparations, Better::kLow,
     "Mean over layers, 39 bins in log E.", layer_energy_separation},
    {"separation_center_eta", "Centres of energy in eta", kSeparations, Better::kLow, kCentreHelp,
     centre_separation<layer_observable_index("layer_center_eta")>, kCentreHelpOfLayeredMesh},
    {"separation_center_phi", "Centres of energy in phi", kSeparations, Better::kLow, kCentreHelp,
     centre_separation<layer_observable_index("layer_center_phi")>, kCentreHelpOfLayeredMesh},
    {"separation_width_eta", "Widths in eta", kSeparations, Better::kLow, kWidthHelp,
     width_separation<layer_observable_index("layer_width_eta")>, kWidthHelpOfLayeredMesh},
    {"separation_width_phi", "Widths in phi", kSeparations, Better::kLow, kWidthHelp,
     width_separation<layer_observable_index("layer_width_phi")>, kWidthHelpOfLayeredMesh},
    {"jsd_response", "JSD of the response", kMeans, Better::kLow,
     "Jensen–Shannon divergence in bits, mean over conditions.",
     [](const ScoreInputs& in) { return mean_divergence(in, "response"); }},
    {"jsd_longitudinal", "JSD of the longitudinal profile", kMeans, Better::kLow,
     "In bits, mean over conditions.",
     [](const ScoreInputs& in) { return mean_divergence(in, "longitudinal_profile"); }},
    {"jsd_lateral", "JSD of the lateral profile", kMeans, Better::kLow, "In bits, mean over conditions.",
     [](const ScoreInputs& in) { return mean_divergence(in, "lateral_profile"); }},
    {"correlations", "Correlations of layer energies", kMeans, Better::kLow,
     "Mean |difference| of Pearson's correlation coefficients of two layers, mean over conditions.",
     mean_correlations},
};
static_assert(has_unique_names(kScores));

}  // namespace

bool Score::agrees() const {
  if (!estimate.has_floor) return false;
  const double error = 2 * std::hypot(estimate.error, estimate.floor_error);
  switch (better) {
    case Better::kLow:
      return estimate.value - estimate.floor <= error;
    case Better::kHigh:
      return estimate.floor - estimate.value <= error;
    case Better::kHalf:
      break;
  }
  return std::abs(estimate.value - estimate.floor) <= error;
}

std::vector<Score> compute_scores(const ScoreInputs& inputs) {
  std::vector<Score> scores;
  for (const Row& row : kScores)
    if (const std::optional<Estimate> estimate = row.compute(inputs))
      scores.push_back({.name = row.name,
                        .title = row.title,
                        .group = row.group,
                        .help = inputs.axes.is_cylinder ? row.help : row.help_of_layered_mesh,
                        .better = row.better,
                        .estimate = *estimate});
  return scores;
}

std::vector<Score> classifier_scores(const std::vector<Classification>& classifiers) {
  std::vector<Score> scores;
  for (const Classification& c : classifiers) {
    // If the halves are too small, the floor is what it must be.
    const Auc floor = c.floor ? c.floor->auc : Auc{};
    scores.push_back({.name = "auc_" + c.name,
                      .title = c.title,
                      .group = "Classifiers (AUC)",
                      .help = "Area under the ROC curve on showers that it has not seen: 0.5 cannot be told "
                              "from Geant4, 1 is told every time.",
                      .better = Better::kHalf,
                      .estimate = with_floor({.value = c.auc.value, .error = c.auc.error},
                                             {.value = floor.value, .error = floor.error})});
  }
  return scores;
}

}  // namespace calo
