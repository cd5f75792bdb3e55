#include "calo/validate/score_inputs.h"

namespace calo {

const BalancedTables& ScoreInputs::features() const {
  if (!features_) features_ = sample.tables(&GroupSample::calochallenge, options.distances.seed);
  return *features_;
}

const Neighbourhoods& ScoreInputs::neighbourhoods() const {
  if (neighbourhoods_) return *neighbourhoods_;
  const auto between = [&](const FeatureTable& full, const FeatureTable& fast) {
    return calo::neighbourhoods(thinned(full, options.most_neighbours),
                                thinned(fast, options.most_neighbours), pool);
  };
  const BalancedTables& tables = features();
  neighbourhoods_ = between(tables.full, tables.fast);
  if (tables.first_half.rows() < kFewestForDistances) return *neighbourhoods_;
  const Neighbourhoods halves = between(tables.first_half, tables.second_half);
  for (const auto number : {&Neighbourhoods::precision, &Neighbourhoods::recall, &Neighbourhoods::density,
                            &Neighbourhoods::coverage})
    *neighbourhoods_.*number = with_floor(*neighbourhoods_.*number, halves.*number);
  return *neighbourhoods_;
}

const ScoreInputs::Resampling& ScoreInputs::resampling() const {
  const ComparisonOptions& wanted = options.comparison;
  const std::size_t showers = sample.size();
  if (!resampling_)
    resampling_ = {.full = poisson_replicas(showers, wanted.replicas, wanted.seed),
                   .fast = poisson_replicas(showers, wanted.replicas, wanted.seed + 1),
                   .halves = half_replicas(showers, wanted.halves, wanted.seed + 2)};
  return *resampling_;
}

Estimate with_floor(Estimate estimate, const Estimate& between_halves) {
  estimate.floor = between_halves.value;
  estimate.floor_error = between_halves.error;
  estimate.has_floor = true;
  return estimate;
}

}  // namespace calo
