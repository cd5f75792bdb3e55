#include "calo/validate/validation.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <tuple>

#include "calo/preprocess/preprocess.h"
#include "calo/validate/balanced_sample.h"
#include "calo/validate/detail/matching.h"
#include "calo/validate/detail/same_terms.h"
#include "calo/validate/scores.h"
#include "core/error.h"

namespace calo {
namespace {

constexpr double kSignificance = 0.05;

void correct_p_values(Validation& validation) {
  std::vector<Comparison*> tested;
  for (ConditionComparison& group : validation.groups) {
    for (Comparison& c : group.observables)
      if (c.has_ks) tested.push_back(&c);
    for (LayeredComparison& kind : group.layered)
      for (Comparison& c : kind.layers)
        if (c.has_ks) tested.push_back(&c);
  }
  std::vector<double> p_values;
  p_values.reserve(tested.size());
  for (const Comparison* c : tested) p_values.push_back(c->ks_p_value);
  const std::vector<double> corrected = holm(p_values);
  for (std::size_t i = 0; i < tested.size(); ++i) {
    tested[i]->corrected_p_value = corrected[i];
    if (corrected[i] < kSignificance) ++validation.rejected;
  }
  validation.tests = static_cast<std::int64_t>(tested.size());
}

// Of two sides in the same terms.
Validation compare_sides(ShowerReader& full, ShowerReader& fast, const ValidateOptions& options,
                         core::ThreadPool& pool) {
  const bool discrete = has_discrete_energies(full.conditions()) && has_discrete_energies(fast.conditions());
  const GroupCounts full_counts = count_groups(full, discrete), fast_counts = count_groups(fast, discrete);
  Validation result{.threshold_mev = options.threshold_mev,
                    .mesh = full.info().mesh,
                    .geometry_meshes = full.info().geometry_meshes};
  for (const auto& [name, count] : full_counts)
    if (!fast_counts.contains(name)) result.only_full.push_back(name);
  for (const auto& [name, count] : fast_counts)
    if (!full_counts.contains(name)) result.only_fast.push_back(name);
  const bool have_common = result.only_full.size() < full_counts.size();
  check_match(full, fast, options.threshold_mev, have_common);
  if (!have_common)
    throw core::InputError(
        {.message = fmt::format("no geometry, energy and angle is in both: full has {}, fast has {}",
                                result.only_full.front(), result.only_fast.front()),
         .file = fast.info().files.front(),
         .hint = "generate with --like and the full showers"});
  const SampleOptions sampling{.threshold_mev = options.threshold_mev, .discrete = discrete};
  ShowerSample full_sample = read_sample(full, sampling, "full simulation", nullptr, pool),
               fast_sample = read_sample(fast, sampling, "fast simulation", &full_sample, pool);
  result.full_bad_cells = full_sample.bad_cells;
  result.fast_bad_cells = fast_sample.bad_cells;
  for (const auto& [side, bad] :
       {std::pair{"full", result.full_bad_cells}, std::pair{"fast", result.fast_bad_cells}})
    if (bad.any())
      spdlog::warn(
          "of the {} simulation, {} cells are NaN or infinite and {} are negative; they are left out", side,
          bad.not_finite, bad.negative);
  const auto cost_of = [](const ShowerReader& reader) {
    return ShowerCost{.seconds_per_shower = mean_sim_time_s(reader.conditions()).value_or(0),
                      .peak_memory_bytes = reader.info().peak_memory_bytes};
  };
  result.full_cost = cost_of(full);
  result.fast_cost = cost_of(fast);
  for (auto& [name, group] : full_sample.groups)
    if (const auto partner = fast_sample.groups.find(name); partner != fast_sample.groups.end())
      result.groups.push_back(compare_groups(name, group, partner->second,
                                             MeshAxes(full.info().mesh_of(group.geometry)),
                                             options.comparison, pool));
  std::sort(result.groups.begin(), result.groups.end(),
            [](const ConditionComparison& a, const ConditionComparison& b) {
              return std::tie(a.geometry, a.angle_deg, a.energy_gev) <
                     std::tie(b.geometry, b.angle_deg, b.energy_gev);
            });
  correct_p_values(result);
  if (options.only_observables) return result;
  result.scans = scan_energies(result.groups);
  const BalancedSample sample(full_sample, fast_sample, options.classifiers.max_showers);
  result.classified_showers = static_cast<std::int64_t>(sample.size());
  result.classifiers = run_classifiers(sample, full, fast, options.classifiers, pool);
  result.scores = classifier_scores(result.classifiers);
  const MeshAxes axes(result.mesh);  // scores use numbers of cells, not their sizes
  for (Score& score : compute_scores(ScoreInputs({sample, result.groups, axes, options, pool})))
    result.scores.push_back(std::move(score));
  return result;
}

}  // namespace

Validation validate(ShowerReader& full, ShowerReader& fast, const ValidateOptions& options,
                    core::ThreadPool& pool) {
  SameTerms terms(full, fast, options.geometry);
  return compare_sides(terms.full(), terms.fast(), options, pool);
}

double Validation::speed_up() const {
  if (full_cost.seconds_per_shower <= 0 || fast_cost.seconds_per_shower <= 0) return 0;
  return full_cost.seconds_per_shower / fast_cost.seconds_per_shower;
}

std::string Validation::no_classifier_reason() const {
  if (!classifiers.empty()) return "";
  return fmt::format(
      "A classifier needs {} showers or more of each side with equal conditions; there are {}.",
      kFewestClassified, classified_showers);
}

}  // namespace calo
