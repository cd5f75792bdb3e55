#include "calo/validate/validation.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "calo/preprocess/preprocess.h"
#include "calo/validate/matching.h"
#include "calo/validate/same_terms.h"
#include "core/error.h"
#include "core/philox.h"

namespace calo {
namespace {

using nlohmann::json;

constexpr double kSignificance = 0.05;
constexpr double kLeastMev = 0.5e-3 / 0.033;  // 0.5 keV of active energy over the sampling fraction
constexpr double kLeastMevOfDataSet1 = 10;
constexpr std::uint32_t kHalvesStream = 0x48565300;

using GroupCounts = std::map<std::string, std::size_t>;

// How many showers of each group a classifier gets: as many fast as full ones, so that it cannot go by the
// conditions; fewer of each group where there are more than `most`.
GroupCounts classified_showers(const GroupCounts& full, const GroupCounts& fast, std::int64_t most) {
  GroupCounts result;
  std::size_t sum = 0;
  for (const auto& [name, count] : full)
    if (const auto partner = fast.find(name); partner != fast.end())
      sum += result[name] = std::min(count, partner->second);
  const auto limit = static_cast<std::size_t>(most);
  if (sum > limit)
    for (auto& [name, count] : result) count = count * limit / sum;
  return result;
}

// First showers of each group.
FeatureTable gather(const ShowerSample& sample, const GroupCounts& counts, FeatureTable GroupSample::*table) {
  FeatureTable result;
  for (const auto& [name, count] : counts) {
    const FeatureTable part = (sample.groups.at(name).*table).first(count);
    if (result.names.empty()) result.names = part.names;
    result.append(part);
  }
  return result;
}

std::vector<std::int64_t> places_of(const ShowerSample& sample, const GroupCounts& counts) {
  std::vector<std::int64_t> places;
  for (const auto& [name, count] : counts) {
    const auto& all = sample.groups.at(name).places;
    places.insert(places.end(), all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count));
  }
  return places;
}

// Rows of what was gathered, in two random halves of each group: row i of both has the same conditions.
struct Halves {
  std::vector<std::size_t> first, second;
};

Halves halves_of(const GroupCounts& counts, std::uint64_t seed) {
  Halves halves;
  std::size_t begin = 0;
  std::uint64_t group = 0;
  for (const auto& [name, count] : counts) {
    std::vector<std::size_t> rows(count);
    std::iota(rows.begin(), rows.end(), begin);
    core::Philox(seed, group++, kHalvesStream).shuffle(rows);
    const auto half = static_cast<std::ptrdiff_t>(count / 2);
    halves.first.insert(halves.first.end(), rows.begin(), rows.begin() + half);
    halves.second.insert(halves.second.end(), rows.begin() + half, rows.begin() + 2 * half);
    begin += count;
  }
  return halves;
}

FeatureTable rows_of(const FeatureTable& table, const std::vector<std::size_t>& rows) {
  FeatureTable result{.names = table.names};
  result.values.reserve(rows.size() * table.columns());
  for (const std::size_t row : rows)
    result.values.insert(result.values.end(), table.row(row), table.row(row) + table.columns());
  return result;
}

Showers rows_of(const Showers& showers, const std::vector<std::size_t>& rows) {
  Showers result(showers.num_cells(), showers.geometries);
  if (showers.empty()) return result;  // no classifier asked for them
  for (const std::size_t row : rows) result.append(showers, row, row + 1);
  return result;
}

FeatureTable thinned(const FeatureTable& table, std::int64_t most) {
  const std::size_t rows = table.rows(), kept = std::min(rows, static_cast<std::size_t>(most));
  if (kept == rows) return table;
  FeatureTable result{.names = table.names};
  for (std::size_t i = 0; i < kept; ++i) {
    const float* row = table.row(i * rows / kept);
    result.values.insert(result.values.end(), row, row + table.columns());
  }
  return result;
}

void add_feature_distances(std::vector<Score>& scores, const FeatureTable& full, const FeatureTable& fast,
                           const Halves& halves, const ValidateOptions& options, core::ThreadPool& pool) {
  if (std::min(full.rows(), fast.rows()) < kFewestForDistances) return;
  const FeatureTable first = rows_of(full, halves.first), second = rows_of(full, halves.second);
  const bool has_floor = first.rows() >= kFewestForDistances;
  const auto scaled = [](Estimate estimate, double factor) {
    for (double* number : {&estimate.value, &estimate.error, &estimate.floor, &estimate.floor_error})
      *number *= factor;
    return estimate;
  };
  const auto with_floor = [&](Estimate estimate, const std::function<Estimate()>& between_halves) {
    if (!has_floor) return estimate;
    const Estimate floor = between_halves();
    estimate.floor = floor.value;
    estimate.floor_error = floor.error;
    estimate.has_floor = true;
    return estimate;
  };
  const std::string group = "Distances of features";
  scores.push_back(
      {.name = "fpd",
       .title = "Fréchet physics distance × 10³",
       .group = group,
       .help =
           "Of the CaloChallenge's high-level features, extrapolated to large samples (arXiv:2211.10295). "
           "Samples below 50 000 showers leave a bias that the floor has too.",
       .estimate = scaled(
           with_floor(frechet_physics_distance(full, fast, options.distances, pool),
                      [&] { return frechet_physics_distance(first, second, options.distances, pool); }),
           1000)});
  scores.push_back(
      {.name = "kpd",
       .title = "Kernel physics distance × 10³",
       .group = group,
       .help = "Maximum mean discrepancy of the same features with a polynomial kernel; 0 within its error "
               "for equal samples (arXiv:2211.10295).",
       .estimate =
           scaled(with_floor(kernel_physics_distance(full, fast, options.distances, pool),
                             [&] { return kernel_physics_distance(first, second, options.distances, pool); }),
                  1000)});
  const FeatureTable some_full = thinned(full, options.most_neighbours),
                     some_fast = thinned(fast, options.most_neighbours);
  const Neighbourhoods between = neighbourhoods(some_full, some_fast, pool);
  Neighbourhoods floor;
  if (has_floor)
    floor = neighbourhoods(thinned(first, options.most_neighbours), thinned(second, options.most_neighbours),
                           pool);
  const auto add = [&](const char* name, const char* title, const char* help,
                       Estimate Neighbourhoods::*number) {
    scores.push_back({.name = name,
                      .title = title,
                      .group = "Neighbourhoods",
                      .help = help,
                      .better = Score::Better::kHigh,
                      .estimate = with_floor(between.*number, [&] { return floor.*number; })});
  };
  add("precision", "Precision",
      "Share of the fast showers that lie among full ones (arXiv:2002.09797, 5 neighbours).",
      &Neighbourhoods::precision);
  add("recall", "Recall", "Share of the full showers that lie among fast ones.", &Neighbourhoods::recall);
  add("density", "Density",
      "Full neighbourhoods that a fast shower lies in, over those expected; 1 where equal.",
      &Neighbourhoods::density);
  add("coverage", "Coverage", "Share of the full showers that have a fast one nearby.",
      &Neighbourhoods::coverage);
}

// Values of all showers of some groups: the first `counts` of each.
template <typename Get>
std::vector<double> all_values(const ShowerSample& sample, const GroupCounts& counts, const Get& get) {
  std::vector<double> values;
  for (const auto& [name, count] : counts)
    for (std::size_t i = 0; i < count; ++i) values.push_back(get(sample.groups.at(name), i));
  return values;
}

// How far out a quantity of a layer is looked at, mm: the CaloChallenge's ranges, of layered meshes those of
// data set 1 (there the hadronic layers 12 and 13 are the ones that reach beyond a metre).
double reach_mm(const MeshAxes& axes, std::size_t layer, bool is_width) {
  constexpr double kWideLayer = 1000;
  if (axes.is_cylinder) return 30;
  if (axes.radius_mm[layer] < kWideLayer) return 100;
  return is_width ? 400 : 500;
}

// Separation powers with the binnings of the CaloChallenge (code/evaluate.py,
// code/evaluate_plotting_helper.py), all conditions together; of layers that have the quantity the mean.
void add_separation_powers(std::vector<Score>& scores, const ShowerSample& full, const ShowerSample& fast,
                           const GroupCounts& counts, const MeshAxes& axes, const ValidateOptions& options,
                           core::ThreadPool& pool) {
  std::size_t showers = 0;
  for (const auto& [name, count] : counts) showers += count;
  if (showers < 2) return;
  const Replicas full_replicas =
                     poisson_replicas(showers, options.comparison.replicas, options.comparison.seed),
                 fast_replicas =
                     poisson_replicas(showers, options.comparison.replicas, options.comparison.seed + 1),
                 halves = half_replicas(showers, options.comparison.halves, options.comparison.seed + 2);
  const auto add = [&](const char* name, const char* title, const std::string& help,
                       std::size_t distributions,
                       const std::function<std::vector<double>(const ShowerSample&, std::size_t)>& values,
                       const std::function<BinRange(std::size_t, const std::vector<double>&)>& bins) {
    std::vector<Estimate> estimates(distributions);
    pool.for_each(distributions, [&](std::size_t k) {
      const std::vector<double> p = values(full, k), q = values(fast, k);
      estimates[k] = sample_distances(p, q, bins(k, p), full_replicas, fast_replicas, halves).separation;
    });
    Estimate mean{.has_floor = !halves.empty()};
    for (const Estimate& estimate : estimates) {
      const auto n = static_cast<double>(distributions);
      mean.value += estimate.value / n;
      mean.floor += estimate.floor / n;
      // Layers of one shower belong together: errors are added as if they were one.
      mean.error += estimate.error / n;
      mean.floor_error += estimate.floor_error / n;
    }
    scores.push_back(
        {.name = name, .title = title, .group = "Separation powers", .help = help, .estimate = mean});
  };
  std::vector<std::size_t> filled, divided;
  for (std::size_t layer = 0; layer < axes.has_cells.size(); ++layer) {
    if (axes.has_cells[layer]) filled.push_back(layer);
    if (axes.has_sectors[layer]) divided.push_back(layer);
  }
  const double least_mev = axes.is_cylinder ? kLeastMev : kLeastMevOfDataSet1;
  add(
      "separation_response", "E_tot / E_inc", "100 bins from 0.5 to 1.5, all conditions together.", 1,
      [&](const ShowerSample& s, std::size_t) {
        return all_values(s, counts,
                          [](const GroupSample& g, std::size_t i) { return g.observables[kResponse][i]; });
      },
      [](std::size_t, const auto&) { return BinRange{.low = 0.5, .high = 1.5, .bins = 100}; });
  // log10 of the energy in even bins to the largest; layers below the least are in the first bin.
  add(
      "separation_layer_energy", "Layer energies", "Mean over layers, 39 bins in log E.", filled.size(),
      [&](const ShowerSample& s, std::size_t k) {
        return all_values(s, counts, [layer = filled[k], least_mev](const GroupSample& g, std::size_t i) {
          return std::log10(std::max(least_mev, g.layers[0][layer][i] * g.incident_mev[i]));
        });
      },
      [least_mev](std::size_t, const std::vector<double>& p) {
        const double low = std::log10(least_mev);
        return BinRange{
            .low = low, .high = std::max(low + 1e-6, *std::max_element(p.begin(), p.end())), .bins = 39};
      });
  const auto add_shape = [&](std::size_t observable, const char* name, const char* title, bool is_width) {
    if (divided.empty()) return;
    const std::string low = is_width ? "0" : "-30";
    add(
        name, title,
        axes.is_cylinder
            ? fmt::format("Mean over layers, 100 bins from {} to 30 mm.", is_width ? "0" : "-30")
            : fmt::format("Mean over the layers divided in alpha, 100 bins from {} to 100 mm, where a "
                          "layer reaches beyond 1 m to {} mm.",
                          is_width ? "0" : "-100", is_width ? 400 : 500),
        divided.size(),
        [&, observable](const ShowerSample& s, std::size_t k) {
          return all_values(s, counts, [&, layer = divided[k]](const GroupSample& g, std::size_t i) {
            return double{g.layers[observable][layer][i]};
          });
        },
        [&, is_width](std::size_t k, const auto&) {
          const double reach = reach_mm(axes, divided[k], is_width);
          return BinRange{.low = is_width ? 0 : -reach, .high = reach, .bins = 100};
        });
  };
  add_shape(1, "separation_center_eta", "Centres of energy in eta", false);
  add_shape(3, "separation_center_phi", "Centres of energy in phi", false);
  add_shape(2, "separation_width_eta", "Widths in eta", true);
  add_shape(4, "separation_width_phi", "Widths in phi", true);
}

// Means over conditions, their errors as if conditions were independent.
void add_condition_means(std::vector<Score>& scores, const std::vector<ConditionComparison>& groups) {
  const auto mean = [&](const char* name, const char* title, const char* help, const auto& get) {
    Estimate result{.has_floor = true};
    double count = 0;
    for (const ConditionComparison& group : groups) {
      const Estimate* estimate = get(group);
      if (estimate == nullptr) continue;
      ++count;
      result.value += estimate->value;
      result.error = std::hypot(result.error, estimate->error);
      result.floor += estimate->floor;
      result.floor_error = std::hypot(result.floor_error, estimate->floor_error);
      result.has_floor = result.has_floor && estimate->has_floor;
    }
    if (count == 0) return;
    for (double* number : {&result.value, &result.error, &result.floor, &result.floor_error})
      *number /= count;
    scores.push_back(
        {.name = name, .title = title, .group = "Means over conditions", .help = help, .estimate = result});
  };
  const auto jsd = [](const char* observable) {
    return [observable](const ConditionComparison& group) {
      return &group.observable(observable).jensen_shannon;
    };
  };
  mean("jsd_response", "JSD of the response", "Jensen–Shannon divergence in bits, mean over conditions.",
       jsd("response"));
  mean("jsd_longitudinal", "JSD of the longitudinal profile", "In bits, mean over conditions.",
       jsd("longitudinal_profile"));
  mean("jsd_lateral", "JSD of the lateral profile", "In bits, mean over conditions.", jsd("lateral_profile"));
  mean("correlations", "Correlations of layer energies",
       "Mean |difference| of Pearson's correlation coefficients of two layers, mean over conditions.",
       [](const ConditionComparison& group) {
         return group.correlations.full.empty() ? nullptr : &group.correlations.mean_difference;
       });
}

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

void add_classifiers(Validation& result, const ShowerSample& full_sample, const ShowerSample& fast_sample,
                     const GroupCounts& classified, ShowerReader& full, ShowerReader& fast,
                     const ValidateOptions& options, core::ThreadPool& pool) {
  const FeatureTable full_features = gather(full_sample, classified, &GroupSample::high_level),
                     fast_features = gather(fast_sample, classified, &GroupSample::high_level);
  result.classified_showers = static_cast<std::int64_t>(full_features.rows());
  if (full_features.rows() < kFewestClassified) return;
  const auto add = [&](const auto& classify, const ClassifiedShowers& samples,
                       const ClassifiedShowers& halves) {
    result.classifiers.push_back(classify(samples));
    Classification& last = result.classifiers.back();
    if (halves.full_features.rows() < kFewestClassified) return;
    spdlog::info("{}: the same between two halves of the full simulation", last.title);
    const Classification between = classify(halves);
    last.floor = {.auc = between.auc, .jensen_shannon = between.best_jensen_shannon()};
  };
  const auto with = [&](const FeatureTable& a, const FeatureTable& b, const Showers& a_showers,
                        const Showers& b_showers) {
    return ClassifiedShowers{
        .full_features = a, .fast_features = b, .full = a_showers, .fast = b_showers, .mesh = result.mesh};
  };
  const Showers none;
  const Halves feature_halves = halves_of(classified, options.classifier.seed);
  const FeatureTable first_features = rows_of(full_features, feature_halves.first),
                     second_features = rows_of(full_features, feature_halves.second);
  add(
      [&](const ClassifiedShowers& showers) {
        return classify_high_level(showers.full_features, showers.fast_features, options.classifier, pool);
      },
      with(full_features, fast_features, none, none), with(first_features, second_features, none, none));
  if (options.extra_classifiers.empty()) return;
  GroupCounts chosen = classified;
  const bool needs_showers = std::any_of(options.extra_classifiers.begin(), options.extra_classifiers.end(),
                                         [](const ExtraClassifier& c) { return c.needs_showers; });
  Showers full_showers, fast_showers;
  if (needs_showers) {
    chosen = classified_showers(classified, classified, options.most_in_memory);
    full_showers = read_places(full, places_of(full_sample, chosen));
    fast_showers = read_places(fast, places_of(fast_sample, chosen));
  }
  const FeatureTable full_table = gather(full_sample, chosen, &GroupSample::calochallenge),
                     fast_table = gather(fast_sample, chosen, &GroupSample::calochallenge);
  const Halves halves = halves_of(chosen, options.classifier.seed);
  const FeatureTable first_table = rows_of(full_table, halves.first),
                     second_table = rows_of(full_table, halves.second);
  const Showers first_showers = rows_of(full_showers, halves.first),
                second_showers = rows_of(full_showers, halves.second);
  for (const ExtraClassifier& extra : options.extra_classifiers)
    add(extra.classify, with(full_table, fast_table, full_showers, fast_showers),
        with(first_table, second_table, first_showers, second_showers));
}

void add_auc_scores(Validation& validation) {
  for (const Classification& c : validation.classifiers) {
    // Where the halves are too small, the floor is what it must be.
    const Auc floor = c.floor ? c.floor->auc : Auc{};
    validation.scores.push_back(
        {.name = "auc_" + c.name,
         .title = c.title,
         .group = "Classifiers (AUC)",
         .help = "Area under the ROC curve on showers that it has not seen: 0.5 cannot be told "
                 "from Geant4, 1 is told every time.",
         .better = Score::Better::kHalf,
         .estimate = {.value = c.auc.value,
                      .error = c.auc.error,
                      .floor = floor.value,
                      .floor_error = floor.error,
                      .has_floor = true}});
  }
}

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

namespace {

// Of two sides in the same terms.
Validation compare_sides(ShowerReader& full, ShowerReader& fast, const ValidateOptions& options,
                         core::ThreadPool& pool) {
  const bool discrete = has_discrete_energies(full.conditions()) && has_discrete_energies(fast.conditions());
  const GroupCounts full_counts = count_groups(full, discrete), fast_counts = count_groups(fast, discrete);
  Validation result{.threshold_mev = options.threshold_mev, .mesh = full.info().mesh};
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
  const MeshAxes axes(result.mesh);
  for (auto& [name, group] : full_sample.groups)
    if (const auto partner = fast_sample.groups.find(name); partner != fast_sample.groups.end())
      result.groups.push_back(compare_groups(name, group, partner->second, axes, options.comparison, pool));
  std::sort(result.groups.begin(), result.groups.end(),
            [](const ConditionComparison& a, const ConditionComparison& b) {
              return std::tie(a.geometry, a.angle_deg, a.energy_gev) <
                     std::tie(b.geometry, b.angle_deg, b.energy_gev);
            });
  correct_p_values(result);
  if (options.only_observables) return result;
  result.scans = scan_energies(result.groups);
  const GroupCounts classified = classified_showers(full_counts, fast_counts, options.classifier.max_showers);
  add_classifiers(result, full_sample, fast_sample, classified, full, fast, options, pool);
  add_auc_scores(result);
  add_feature_distances(result.scores, gather(full_sample, classified, &GroupSample::calochallenge),
                        gather(fast_sample, classified, &GroupSample::calochallenge),
                        halves_of(classified, options.distances.seed), options, pool);
  add_separation_powers(result.scores, full_sample, fast_sample, classified, axes, options, pool);
  add_condition_means(result.scores, result.groups);
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
