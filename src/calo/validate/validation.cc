#include "calo/validate/validation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <numeric>

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
  std::vector<double> cell_counts = std::vector<double>(kCellBins, 0.0);
  double cell_log_sum = 0, cell_log_squares = 0, cell_total = 0;

  std::size_t showers() const { return response.size(); }
};

class Accumulator {
 public:
  Accumulator(const VoxelMesh& mesh, double threshold_mev, bool discrete)
      : mesh_(mesh), cylinder_(mesh.cylinder()), threshold_mev_(threshold_mev), discrete_(discrete) {}

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

 private:
  void add(const Showers& showers, std::size_t i) {
    const Conditions& condition = showers.conditions[i];
    const std::string& geometry = showers.geometries[condition.geometry];
    const auto [it, fresh] = groups.try_emplace(condition_group(condition, geometry, discrete_));
    Accumulated& group = it->second;
    const auto layers = static_cast<std::size_t>(cylinder_.n_z),
               rings = static_cast<std::size_t>(cylinder_.n_r);
    if (fresh) {
      order.push_back(it->first);
      group.geometry = geometry;
      group.angle_deg = condition.theta_rad * 180 / std::numbers::pi;
      group.layer_sum.assign(layers, 0.0);
      group.layer_share.resize(layers);
      group.layer_squares.assign(layers, 0.0);
      group.ring_sum.assign(rings, 0.0);
      group.ring_squares.assign(rings, 0.0);
    }
    layer_.assign(layers, 0.0);
    ring_.assign(rings, 0.0);
    const auto cells = showers.cells_of(i);
    const auto energies = showers.energies_of(i);
    for (std::size_t hit = 0; hit < cells.size(); ++hit) {
      const double energy = energies[hit];
      if (!(energy > 0) || energy < threshold_mev_) continue;
      const CellPosition position = mesh_.position(cells[hit]);
      layer_[static_cast<std::size_t>(position.layer)] += energy;
      ring_[static_cast<std::size_t>(position.r)] += energy;
      const double logarithm = std::log10(energy);
      const int bin =
          static_cast<int>(std::floor((logarithm - kCellLow) / (kCellHigh - kCellLow) * kCellBins));
      group.cell_counts[static_cast<std::size_t>(std::clamp(bin, 0, kCellBins - 1))] += 1;
      group.cell_log_sum += logarithm;
      group.cell_log_squares += logarithm * logarithm;
      group.cell_total += 1;
    }
    for (std::size_t k = 0; k < layers; ++k) {
      group.layer_sum[k] += layer_[k];
      group.layer_squares[k] += layer_[k] * layer_[k];
      group.layer_share[k].push_back(static_cast<float>(layer_[k] / condition.incident_energy_mev));
    }
    for (std::size_t k = 0; k < rings; ++k) {
      group.ring_sum[k] += ring_[k];
      group.ring_squares[k] += ring_[k] * ring_[k];
    }
    const double total = std::accumulate(layer_.begin(), layer_.end(), 0.0);
    group.energy_sum_gev += condition.incident_energy_mev / 1000.0;
    group.response.push_back(total / condition.incident_energy_mev);
    if (total <= 0) return;  // an empty shower has no moments
    const auto moments = [&](const std::vector<double>& shares, double size_mm, std::vector<double>& first,
                             std::vector<double>& second) {
      double mean = 0, square = 0;
      for (std::size_t k = 0; k < shares.size(); ++k) mean += shares[k] * static_cast<double>(k) * size_mm;
      mean /= total;
      for (std::size_t k = 0; k < shares.size(); ++k) {
        const double distance = static_cast<double>(k) * size_mm - mean;
        square += shares[k] * distance * distance;
      }
      first.push_back(mean);
      second.push_back(square / total);
    };
    moments(layer_, cylinder_.size_z_mm, group.z_first, group.z_second);
    moments(ring_, cylinder_.size_r_mm, group.r_first, group.r_second);
  }

  const VoxelMesh& mesh_;
  VoxelMesh::Cylinder cylinder_;
  double threshold_mev_;
  bool discrete_;
  std::vector<double> layer_, ring_;
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

Comparison compare_values(const char* name, const char* title, const char* unit,
                          const std::vector<double>& full, const std::vector<double>& fast) {
  Comparison result{.name = name, .title = title, .unit = unit};
  mean_and_error(full, result.full_mean, result.full_mean_error);
  mean_and_error(fast, result.fast_mean, result.fast_mean_error);
  double low =
      std::min(*std::min_element(full.begin(), full.end()), *std::min_element(fast.begin(), fast.end()));
  double high =
      std::max(*std::max_element(full.begin(), full.end()), *std::max_element(fast.begin(), fast.end()));
  if (!(high > low)) {
    low -= 0.5;
    high += 0.5;
  }
  result.edges = even_edges(low, high, kValueBins);
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

Validation validate(ShowerReader& full, ShowerReader& fast, const ValidateOptions& options) {
  const VoxelMesh& mesh = full.info().mesh;
  if (!(mesh == fast.info().mesh))
    throw core::InputError(
        {.message = fmt::format("has the mesh {}, and {} has {}", fast.info().mesh.to_string(),
                                full.info().files.front().string(), mesh.to_string()),
         .file = fast.info().files.front(),
         .hint = "compare showers of one mesh"});
  const bool discrete = has_discrete_energies(full.conditions()) && has_discrete_energies(fast.conditions());
  Accumulator full_side(mesh, options.threshold_mev, discrete),
      fast_side(mesh, options.threshold_mev, discrete);
  full_side.read(full, "full simulation");
  fast_side.read(fast, "fast simulation");
  Validation result{.threshold_mev = options.threshold_mev};
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
  return result;
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
  return {{"groups", list},
          {"only_full", only_full},
          {"only_fast", only_fast},
          {"threshold_mev", threshold_mev},
          {"summary", summary()}};
}

}  // namespace calo
