#include "calo/validate/validation.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <numeric>
#include <optional>

#include "calo/preprocess/preprocess.h"
#include "calo/validate/distances.h"
#include "core/error.h"
#include "core/progress.h"

namespace calo {
namespace {

using nlohmann::json;

constexpr int kCellBins = 70;
constexpr double kCellLow = -3, kCellHigh = 4;  // log10 of MeV
constexpr std::size_t kValueBins = 30;

// Sums and shower values of one group on one side.
struct Accumulated {
  std::string geometry;
  double angle_deg = 0;
  double energy_sum_gev = 0;
  std::vector<double> layer_sum, layer_squares, ring_sum, ring_squares;
  std::vector<double> response, z_first, z_second, r_first, r_second;
  std::vector<std::vector<float>> layer_share;  // [layer][shower], of the incident energy
  FeatureTable features;                        // of the first showers, for classifiers
  std::size_t features_wanted = 0;
  std::vector<double> cell_counts = std::vector<double>(kCellBins, 0.0);
  double cell_log_sum = 0, cell_log_squares = 0, cell_total = 0;

  std::size_t showers() const { return response.size(); }
};

// Showers of each group, by its name.
using GroupCounts = std::map<std::string, std::size_t>;

GroupCounts count_groups(ShowerReader& reader, bool discrete) {
  GroupCounts counts;
  for (const Conditions& condition : reader.conditions())
    ++counts[condition_group(condition, reader.info().geometries[condition.geometry], discrete)];
  return counts;
}

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

class Accumulator {
 public:
  Accumulator(const VoxelMesh& mesh, double threshold_mev, bool discrete, const GroupCounts& classified)
      : mesh_(mesh), extractor_(mesh, threshold_mev), discrete_(discrete), classified_(classified) {}

  void read(ShowerReader& reader, const char* label) {
    const std::int64_t count = reader.info().num_showers;
    const std::int64_t step = reader.batch_within(std::size_t{64} << 20);
    core::Progress progress(label, count, "showers");
    for (std::int64_t begin = 0; begin < count; begin += step) {
      const Showers showers = reader.read(begin, step);
      for (std::size_t i = 0; i < showers.size(); ++i) add(showers, i);
      progress.update(std::min(begin + step, count));
    }
  }

  std::map<std::string, Accumulated> groups;
  std::vector<std::string> order;
  BadCells bad_cells;

 private:
  void add(const Showers& showers, std::size_t i) {
    const Conditions& condition = showers.conditions[i];
    const std::string& geometry = showers.geometries[condition.geometry];
    const auto [it, fresh] = groups.try_emplace(condition_group(condition, geometry, discrete_));
    Accumulated& group = it->second;
    const ShowerFeatures& features = extractor_.extract(showers, i);
    const std::size_t layers = features.layer_mev.size(), rings = features.ring_mev.size();
    if (fresh) {
      order.push_back(it->first);
      group.geometry = geometry;
      group.angle_deg = condition.theta_rad * 180 / std::numbers::pi;
      group.layer_sum.assign(layers, 0.0);
      group.layer_share.resize(layers);
      group.layer_squares.assign(layers, 0.0);
      group.ring_sum.assign(rings, 0.0);
      group.ring_squares.assign(rings, 0.0);
      group.features = high_level_table(mesh_);
      const auto wanted = classified_.find(it->first);
      group.features_wanted = wanted == classified_.end() ? 0 : wanted->second;
    }
    for (const float hit : showers.energies_of(i)) {
      const double energy = hit;
      if (!std::isfinite(energy)) ++bad_cells.not_finite;
      if (energy < 0) ++bad_cells.negative;
      if (!extractor_.counts(energy)) continue;
      const double logarithm = std::log10(energy);
      const int bin =
          static_cast<int>(std::floor((logarithm - kCellLow) / (kCellHigh - kCellLow) * kCellBins));
      group.cell_counts[static_cast<std::size_t>(std::clamp(bin, 0, kCellBins - 1))] += 1;
      group.cell_log_sum += logarithm;
      group.cell_log_squares += logarithm * logarithm;
      group.cell_total += 1;
    }
    for (std::size_t k = 0; k < layers; ++k) {
      const double energy = features.layer_mev[k];
      group.layer_sum[k] += energy;
      group.layer_squares[k] += energy * energy;
      group.layer_share[k].push_back(static_cast<float>(energy / condition.incident_energy_mev));
    }
    for (std::size_t k = 0; k < rings; ++k) {
      group.ring_sum[k] += features.ring_mev[k];
      group.ring_squares[k] += features.ring_mev[k] * features.ring_mev[k];
    }
    group.energy_sum_gev += condition.incident_energy_mev / 1000.0;
    group.response.push_back(features.total_mev / condition.incident_energy_mev);
    if (group.showers() <= group.features_wanted) append_row(group.features, features, showers.num_cells());
    if (features.is_empty()) return;  // no moments
    group.z_first.push_back(features.longitudinal.first);
    group.z_second.push_back(features.longitudinal.second);
    group.r_first.push_back(features.lateral.first);
    group.r_second.push_back(features.lateral.second);
  }

  const VoxelMesh& mesh_;
  FeatureExtractor extractor_;
  bool discrete_;
  const GroupCounts& classified_;
};

void mean_and_error(const std::vector<double>& values, double& mean, double& error) {
  const auto n = static_cast<double>(values.size());
  mean = error = 0;
  if (values.empty()) return;
  for (const double value : values) mean += value / n;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  if (n > 1) error = std::sqrt(squares / (n - 1) / n);
}

std::vector<double> even_edges(double low, double high, std::size_t bins) {
  std::vector<double> edges;
  for (std::size_t i = 0; i <= bins; ++i)
    edges.push_back(low + (high - low) * static_cast<double>(i) / static_cast<double>(bins));
  return edges;
}

void fill(const std::vector<double>& values, const std::vector<double>& edges, std::vector<double>& density,
          std::vector<double>& error, std::vector<double>& counts) {
  counts.assign(edges.size() - 1, 0.0);
  for (const double value : values) {
    const auto above = std::upper_bound(edges.begin(), edges.end(), value);
    const auto bin = std::clamp<std::ptrdiff_t>(above - edges.begin() - 1, 0,
                                                static_cast<std::ptrdiff_t>(counts.size()) - 1);
    counts[static_cast<std::size_t>(bin)] += 1;
  }
  const auto n = static_cast<double>(std::max<std::size_t>(1, values.size()));
  for (const double count : counts) {
    density.push_back(count / n);
    error.push_back(std::sqrt(count) / n);
  }
}

struct Range {
  double low, high;
};

// @param range of the histogram; by default from the smallest to the largest value
Comparison compare_values(const char* name, const char* title, const char* unit,
                          const std::vector<double>& full, const std::vector<double>& fast,
                          std::optional<Range> range = {}) {
  Comparison result{.name = name, .title = title, .unit = unit};
  mean_and_error(full, result.full_mean, result.full_mean_error);
  mean_and_error(fast, result.fast_mean, result.fast_mean_error);
  if (!range)
    range = {.low = std::min(*std::min_element(full.begin(), full.end()),
                             *std::min_element(fast.begin(), fast.end())),
             .high = std::max(*std::max_element(full.begin(), full.end()),
                              *std::max_element(fast.begin(), fast.end()))};
  if (!(range->high > range->low)) {
    range->low -= 0.5;
    range->high += 0.5;
  }
  result.edges = even_edges(range->low, range->high, kValueBins);
  std::vector<double> full_counts, fast_counts;
  fill(full, result.edges, result.full, result.full_error, full_counts);
  fill(fast, result.edges, result.fast, result.fast_error, fast_counts);
  result.jensen_shannon = jensen_shannon(full_counts, fast_counts);
  const KolmogorovSmirnov ks = kolmogorov_smirnov(full, fast);
  result.has_ks = true;
  result.ks = ks.statistic;
  result.ks_p_value = ks.p_value;
  result.wasserstein = wasserstein(full, fast);
  return result;
}

// Wasserstein distance of two histograms over the same even bins.
double binned_wasserstein(const std::vector<double>& p, const std::vector<double>& q, double width) {
  const double p_sum = std::accumulate(p.begin(), p.end(), 0.0),
               q_sum = std::accumulate(q.begin(), q.end(), 0.0);
  if (p_sum <= 0 || q_sum <= 0) return 0;
  double distance = 0, difference = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    difference += p[i] / p_sum - q[i] / q_sum;
    distance += std::abs(difference) * width;
  }
  return distance;
}

void fill_profile(const std::vector<double>& sum, const std::vector<double>& squares, std::size_t showers,
                  std::vector<double>& mean, std::vector<double>& error) {
  const auto n = static_cast<double>(showers);
  for (std::size_t k = 0; k < sum.size(); ++k) {
    const double m = sum[k] / n;
    mean.push_back(m);
    error.push_back(std::sqrt(std::max(0.0, squares[k] / n - m * m) / std::max(1.0, n - 1)));
  }
}

Comparison compare_profiles(const char* name, const char* title, double size_mm,
                            const std::vector<double>& full_sum, const std::vector<double>& full_squares,
                            const std::vector<double>& fast_sum, const std::vector<double>& fast_squares,
                            const Accumulated& full, const Accumulated& fast,
                            const std::vector<double>& full_moments,
                            const std::vector<double>& fast_moments) {
  Comparison result{.name = name, .title = title, .unit = "mm", .is_profile = true, .log_y = true};
  result.edges = even_edges(0, size_mm * static_cast<double>(full_sum.size()), full_sum.size());
  fill_profile(full_sum, full_squares, full.showers(), result.full, result.full_error);
  fill_profile(fast_sum, fast_squares, fast.showers(), result.fast, result.fast_error);
  mean_and_error(full_moments, result.full_mean, result.full_mean_error);
  mean_and_error(fast_moments, result.fast_mean, result.fast_mean_error);
  result.jensen_shannon = jensen_shannon(full_sum, fast_sum);
  result.wasserstein = binned_wasserstein(full_sum, fast_sum, size_mm);
  return result;
}

Comparison compare_cells(const Accumulated& full, const Accumulated& fast) {
  Comparison result{.name = "cell_energy", .title = "Cell energy", .unit = "log10(E / MeV)", .log_y = true};
  result.edges = even_edges(kCellLow, kCellHigh, kCellBins);
  const auto side = [](const Accumulated& group, std::vector<double>& values, std::vector<double>& error,
                       double& mean, double& mean_error) {
    const auto showers = static_cast<double>(group.showers());
    for (const double count : group.cell_counts) {
      values.push_back(count / showers);
      error.push_back(std::sqrt(count) / showers);
    }
    if (group.cell_total <= 0) return;
    mean = group.cell_log_sum / group.cell_total;
    mean_error =
        std::sqrt(std::max(0.0, group.cell_log_squares / group.cell_total - mean * mean) / group.cell_total);
  };
  side(full, result.full, result.full_error, result.full_mean, result.full_mean_error);
  side(fast, result.fast, result.fast_error, result.fast_mean, result.fast_mean_error);
  result.jensen_shannon = jensen_shannon(full.cell_counts, fast.cell_counts);
  result.wasserstein =
      binned_wasserstein(full.cell_counts, fast.cell_counts, (kCellHigh - kCellLow) / kCellBins);
  return result;
}

ConditionComparison compare(const std::string& name, const Accumulated& full, const Accumulated& fast,
                            const VoxelMesh::Cylinder& cylinder) {
  ConditionComparison result{.name = name,
                             .geometry = full.geometry,
                             .energy_gev = full.energy_sum_gev / static_cast<double>(full.showers()),
                             .angle_deg = std::round(full.angle_deg * 100) / 100,
                             .full_showers = static_cast<std::int64_t>(full.showers()),
                             .fast_showers = static_cast<std::int64_t>(fast.showers())};
  auto& list = result.observables;
  list.push_back(
      compare_values("response", "Total energy over incident energy", "", full.response, fast.response));
  list.push_back(compare_profiles("longitudinal_profile", "Longitudinal profile", cylinder.size_z_mm,
                                  full.layer_sum, full.layer_squares, fast.layer_sum, fast.layer_squares,
                                  full, fast, full.z_first, fast.z_first));
  list.push_back(compare_profiles("lateral_profile", "Lateral profile", cylinder.size_r_mm, full.ring_sum,
                                  full.ring_squares, fast.ring_sum, fast.ring_squares, full, fast,
                                  full.r_first, fast.r_first));
  const bool moments = !full.z_first.empty() && !fast.z_first.empty();
  if (moments) {
    list.push_back(compare_values("longitudinal_first_moment", "Longitudinal first moment", "mm",
                                  full.z_first, fast.z_first));
    list.push_back(compare_values("longitudinal_second_moment", "Longitudinal second moment", "mm^2",
                                  full.z_second, fast.z_second));
    list.push_back(
        compare_values("lateral_first_moment", "Lateral first moment", "mm", full.r_first, fast.r_first));
    list.push_back(compare_values("lateral_second_moment", "Lateral second moment", "mm^2", full.r_second,
                                  fast.r_second));
  }
  list.push_back(compare_cells(full, fast));
  const auto share = [](const Accumulated& group, std::size_t layer) {
    return std::vector<double>(group.layer_share[layer].begin(), group.layer_share[layer].end());
  };
  for (std::size_t layer = 0; layer < full.layer_share.size(); ++layer)
    result.layers.push_back(compare_values("layer_energy", "Layer energy over incident energy", "",
                                           share(full, layer), share(fast, layer)));
  return result;
}

}  // namespace

const Comparison& ConditionComparison::observable(const std::string& wanted) const {
  for (const Comparison& comparison : observables)
    if (comparison.name == wanted) return comparison;
  throw core::InputError({.message = "was not compared", .field = wanted});
}

Validation validate(ShowerReader& full, ShowerReader& fast, const ValidateOptions& options,
                    core::ThreadPool& pool) {
  const VoxelMesh& mesh = full.info().mesh;
  if (!(mesh == fast.info().mesh))
    throw core::InputError(
        {.message = fmt::format("has the mesh {}, and {} has {}", fast.info().mesh.to_string(),
                                full.info().files.front().string(), mesh.to_string()),
         .file = fast.info().files.front(),
         .hint = "compare showers of one mesh"});
  const bool discrete = has_discrete_energies(full.conditions()) && has_discrete_energies(fast.conditions());
  const GroupCounts classified = classified_showers(
      count_groups(full, discrete), count_groups(fast, discrete), options.classifier.max_showers);
  Accumulator full_side(mesh, options.threshold_mev, discrete, classified),
      fast_side(mesh, options.threshold_mev, discrete, classified);
  full_side.read(full, "full simulation");
  fast_side.read(fast, "fast simulation");
  Validation result{.full_bad_cells = full_side.bad_cells,
                    .fast_bad_cells = fast_side.bad_cells,
                    .threshold_mev = options.threshold_mev};
  for (const auto& [side, bad] :
       {std::pair{"full", result.full_bad_cells}, std::pair{"fast", result.fast_bad_cells}})
    if (bad.any())
      spdlog::warn(
          "of the {} simulation, {} cells are NaN or infinite and {} are negative; they are left out", side,
          bad.not_finite, bad.negative);
  for (const std::string& name : full_side.order) {
    const auto partner = fast_side.groups.find(name);
    if (partner == fast_side.groups.end())
      result.only_full.push_back(name);
    else
      result.groups.push_back(compare(name, full_side.groups.at(name), partner->second, mesh.cylinder()));
  }
  for (const std::string& name : fast_side.order)
    if (!full_side.groups.contains(name)) result.only_fast.push_back(name);
  if (result.groups.empty())
    throw core::InputError(
        {.message = fmt::format("no geometry, energy and angle is in both: full has {}, fast has {}",
                                full_side.order.front(), fast_side.order.front()),
         .file = fast.info().files.front(),
         .hint = "generate with --like and the full showers"});
  std::sort(result.groups.begin(), result.groups.end(),
            [](const ConditionComparison& a, const ConditionComparison& b) {
              return std::tie(a.geometry, a.angle_deg, a.energy_gev) <
                     std::tie(b.geometry, b.angle_deg, b.energy_gev);
            });
  FeatureTable full_features = high_level_table(mesh), fast_features = full_features;
  for (const auto& [name, count] : classified) {
    full_features.append(full_side.groups.at(name).features);
    fast_features.append(fast_side.groups.at(name).features);
  }
  result.classified_showers = static_cast<std::int64_t>(full_features.rows());
  if (full_features.rows() >= kFewestClassified) {
    ClassifierTest test{.classification =
                            classify_high_level(full_features, fast_features, options.classifier, pool)};
    test.scores =
        compare_values("classifier_high_level", "Probability of being fast", "",
                       test.classification.full_scores, test.classification.fast_scores, Range{0, 1});
    result.classifiers.push_back(std::move(test));
  }
  return result;
}

std::string Validation::no_classifier_reason() const {
  if (!classifiers.empty()) return "";
  return fmt::format(
      "A classifier needs {} showers or more of each side with equal conditions; there are {}.",
      kFewestClassified, classified_showers);
}

json Validation::summary() const {
  json numbers = {{"conditions", groups.size()}};
  for (const char* name : {"response", "longitudinal_first_moment", "lateral_first_moment"}) {
    double worst = 0;
    for (const ConditionComparison& group : groups)
      for (const Comparison& comparison : group.observables)
        if (comparison.name == name && comparison.full_mean != 0)
          worst = std::max(worst, std::abs(comparison.fast_mean / comparison.full_mean - 1));
    numbers[fmt::format("{}_largest_deviation", name)] = worst;
  }
  std::map<std::string, double> divergence;
  for (const ConditionComparison& group : groups)
    for (const Comparison& comparison : group.observables)
      divergence[comparison.name] += comparison.jensen_shannon / static_cast<double>(groups.size());
  for (const auto& [name, mean] : divergence) numbers[name + "_jsd_mean"] = mean;
  for (const auto& [classification, scores] : classifiers) {
    numbers["auc_" + classification.name] = classification.auc.value;
    numbers["auc_" + classification.name + "_error"] = classification.auc.error;
  }
  return numbers;
}

json Validation::to_json() const {
  json list = json::array();
  for (const ConditionComparison& group : groups) {
    const auto numbers = [](const Comparison& c) {
      json entry = {{"unit", c.unit},
                    {"full_mean", c.full_mean},
                    {"full_mean_error", c.full_mean_error},
                    {"fast_mean", c.fast_mean},
                    {"fast_mean_error", c.fast_mean_error},
                    {"jsd", c.jensen_shannon},
                    {"wasserstein", c.wasserstein}};
      if (c.has_ks) {
        entry["ks"] = c.ks;
        entry["ks_p_value"] = c.ks_p_value;
      }
      return entry;
    };
    json observables = json::object();
    for (const Comparison& c : group.observables) observables[c.name] = numbers(c);
    json layers = json::array();
    for (const Comparison& c : group.layers) layers.push_back(numbers(c));
    list.push_back({{"name", group.name},
                    {"geometry", group.geometry},
                    {"energy_gev", group.energy_gev},
                    {"angle_deg", group.angle_deg},
                    {"full_showers", group.full_showers},
                    {"fast_showers", group.fast_showers},
                    {"observables", observables},
                    {"layer_energy", layers}});
  }
  const auto bad = [](const BadCells& cells) {
    return json{{"not_finite", cells.not_finite}, {"negative", cells.negative}};
  };
  json tests = json::array();
  for (const auto& [classification, scores] : classifiers) tests.push_back(classification.to_json());
  return {{"groups", list},
          {"classifiers", tests},
          {"bad_cells", {{"full", bad(full_bad_cells)}, {"fast", bad(fast_bad_cells)}}},
          {"only_full", only_full},
          {"only_fast", only_fast},
          {"threshold_mev", threshold_mev},
          {"summary", summary()}};
}

}  // namespace calo
