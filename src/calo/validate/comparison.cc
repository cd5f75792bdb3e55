#include "calo/validate/comparison.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <optional>

#include "core/error.h"

namespace calo {
namespace {

constexpr double kMargin = 0.1;

template <typename T>
std::vector<double> finite(const std::vector<T>& values) {
  std::vector<double> result;
  for (const T value : values)
    if (std::isfinite(value)) result.push_back(value);
  return result;
}

void mean_and_error(std::span<const double> values, double& mean, double& error) {
  const Spread s = spread(values);
  mean = s.mean;
  error = values.empty() ? 0 : s.deviation / std::sqrt(static_cast<double>(values.size()));
}

BinRange range_of(const std::vector<double>& full, const std::vector<double>& fast) {
  // Without full values any range will do.
  const std::vector<double>& values = full.empty() ? fast : full;
  BinRange range;
  if (values.empty()) return range;
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const double width = *high - *low;
  const double margin = width > 0 ? kMargin * width : std::max(0.5, std::abs(*low) * kMargin);
  range.low = *low - margin;
  range.high = *high + margin;
  return range;
}

std::vector<double> histogram(std::span<const double> values, const BinRange& range) {
  std::vector<double> counts(range.bins, 0.0);
  for (const double value : values) counts[range.bin(value)] += 1;
  return counts;
}

std::vector<double> roots(const std::vector<double>& values) {
  std::vector<double> result(values.size());
  std::transform(values.begin(), values.end(), result.begin(), [](double value) { return std::sqrt(value); });
  return result;
}

// Replicas of both samples and halves of the full one, shared by all observables of a group: so a replica is
// one of whole showers.
struct Resampling {
  Replicas full, fast, halves;

  Resampling(std::size_t full_showers, std::size_t fast_showers, const ComparisonOptions& options)
      : full(poisson_replicas(full_showers, options.replicas, options.seed)),
        fast(poisson_replicas(fast_showers, options.replicas, options.seed + 1)),
        halves(full_showers < 2 ? Replicas{}
                                : half_replicas(full_showers, options.halves, options.seed + 2)) {}
};

template <typename T>
Comparison compare_values(const char* name, const char* title, const char* unit,
                          const std::vector<T>& full_values, const std::vector<T>& fast_values,
                          std::optional<BinRange> range, const Resampling& resampling) {
  Comparison result{.name = name, .title = title, .unit = unit};
  const std::vector<double> full = finite(full_values), fast = finite(fast_values);
  if (!range) range = range_of(full, fast);
  result.low = range->low;
  result.high = range->high;
  mean_and_error(full, result.full_mean, result.full_mean_error);
  mean_and_error(fast, result.fast_mean, result.fast_mean_error);
  result.full = histogram(full, *range);
  result.fast = histogram(fast, *range);
  result.full_error = roots(result.full);
  result.fast_error = roots(result.fast);
  result.full_entries = static_cast<double>(full.size());
  result.fast_entries = static_cast<double>(fast.size());
  if (full.empty() || fast.empty()) return result;
  result.chi_squared = chi_squared(result.full, result.fast);
  const std::vector<double> all_full(full_values.begin(), full_values.end()),
      all_fast(fast_values.begin(), fast_values.end());
  const SampleDistances distances =
      sample_distances(all_full, all_fast, *range, resampling.full, resampling.fast, resampling.halves);
  result.distances = distances.estimates;
  result.ks_p_value = distances.ks_p_value;
  result.has_ks = true;
  return result;
}

// Distances of two histograms, with errors and floors from those that `full(weights)` and `fast(weights)`
// make of replicas.
using Binned = std::function<std::vector<double>(const std::vector<std::uint8_t>& weights)>;
void resample_binned(Comparison& c, const Binned& full, const Binned& fast, std::size_t full_showers,
                     double bin_width, const Resampling& resampling) {
  std::vector<std::vector<double>> p, q, first, second;
  for (std::size_t r = 0; r < resampling.full.size(); ++r) {
    p.push_back(full(resampling.full[r]));
    q.push_back(fast(resampling.fast[r]));
  }
  for (const auto& chosen : resampling.halves) {
    std::vector<std::uint8_t> others(full_showers);
    for (std::size_t i = 0; i < full_showers; ++i) others[i] = chosen[i] ^ 1;
    first.push_back(full(chosen));
    second.push_back(full(others));
  }
  for (std::size_t k = 0; k < std::size(kDistances); ++k) {
    const auto distance = kDistances[k].of_histograms;
    if (distance == nullptr) continue;
    Estimate& estimate = c.distances[k];
    estimate.value = distance(c.full, c.fast, bin_width);
    std::vector<double> values;
    for (std::size_t r = 0; r < p.size(); ++r) values.push_back(distance(p[r], q[r], bin_width));
    estimate.error = spread(values).deviation;
    values.clear();
    for (std::size_t h = 0; h < first.size(); ++h) values.push_back(distance(first[h], second[h], bin_width));
    estimate.set_floor(values);
  }
}

// `steps(k)[shower]`: energy, or cells, of each shower in step k.
using Steps = std::function<const std::vector<float>&(std::size_t)>;

// Sums over showers that count `weights` times.
Binned weighted_sums(const Steps& steps, std::size_t count) {
  return [&steps, count](const std::vector<std::uint8_t>& weights) {
    std::vector<double> sums(count, 0.0);
    for (std::size_t k = 0; k < count; ++k) {
      const std::vector<float>& values = steps(k);
      for (std::size_t i = 0; i < values.size(); ++i) sums[k] += weights[i] * double{values[i]};
    }
    return sums;
  };
}

Comparison compare_profiles(const char* name, const char* title, const char* unit, double low, double high,
                            std::size_t steps, const Steps& full_mev, const Steps& fast_mev,
                            const GroupSample& full, const GroupSample& fast, bool log_y,
                            const Resampling& resampling) {
  Comparison result{.name = name,
                    .title = title,
                    .unit = unit,
                    .is_profile = true,
                    .log_y = log_y,
                    .low = low,
                    .high = high};
  for (std::size_t k = 0; k < steps; ++k) {
    double mean = 0, error = 0;
    mean_and_error(finite(full_mev(k)), mean, error);
    result.full.push_back(mean);
    result.full_error.push_back(error);
    mean_and_error(finite(fast_mev(k)), mean, error);
    result.fast.push_back(mean);
    result.fast_error.push_back(error);
  }
  result.full_entries = static_cast<double>(full.showers);
  result.fast_entries = static_cast<double>(fast.showers);
  resample_binned(result, weighted_sums(full_mev, steps), weighted_sums(fast_mev, steps), full.showers,
                  (high - low) / static_cast<double>(steps), resampling);
  return result;
}

Comparison compare_cells(const GroupSample& full, const GroupSample& fast, const Resampling& resampling) {
  Comparison result{.name = "cell_energy",
                    .title = "Cell energy",
                    .unit = "log10(E / MeV)",
                    .log_y = true,
                    .low = kCellLow,
                    .high = kCellHigh,
                    .full_entries = static_cast<double>(full.showers),
                    .fast_entries = static_cast<double>(fast.showers)};
  // Cells of one shower belong together: the variance of a bin is that of the showers' counts.
  std::vector<double> full_variance, fast_variance;
  const auto side = [](const GroupSample& group, std::vector<double>& counts, std::vector<double>& error,
                       std::vector<double>& variance, double& mean, double& mean_error) {
    const auto n = static_cast<double>(group.showers);
    for (const std::vector<float>& bin : group.cell_counts) {
      const std::vector<double> values(bin.begin(), bin.end());
      const Spread s = spread(values);
      counts.push_back(std::round(s.mean * n));
      variance.push_back(n > 1 ? s.deviation * s.deviation * n : s.mean);
      error.push_back(std::sqrt(variance.back()));
    }
    // Ratio of two sums over showers; its error by the delta method.
    double cells = 0, logs = 0;
    const auto of_shower = [&](std::size_t i) {
      return group.observables[observable_index("filled_cells")][i];
    };
    for (std::size_t i = 0; i < group.showers; ++i) {
      cells += of_shower(i);
      logs += group.log_sum[i];
    }
    if (cells <= 0) return;
    mean = logs / cells;
    double squares = 0;
    for (std::size_t i = 0; i < group.showers; ++i)
      squares += std::pow(group.log_sum[i] - mean * of_shower(i), 2);
    mean_error = n > 1 ? std::sqrt(squares * n / (n - 1)) / cells : 0;
  };
  side(full, result.full, result.full_error, full_variance, result.full_mean, result.full_mean_error);
  side(fast, result.fast, result.fast_error, fast_variance, result.fast_mean, result.fast_mean_error);
  result.chi_squared = chi_squared(result.full, full_variance, result.fast, fast_variance);
  const Steps full_counts = [&](std::size_t k) -> const std::vector<float>& { return full.cell_counts[k]; },
              fast_counts = [&](std::size_t k) -> const std::vector<float>& { return fast.cell_counts[k]; };
  resample_binned(result, weighted_sums(full_counts, kCellBins), weighted_sums(fast_counts, kCellBins),
                  full.showers, (kCellHigh - kCellLow) / kCellBins, resampling);
  return result;
}

// Correlations of columns of showers that count `weights` times (all once where it is null).
std::vector<double> correlations(const std::vector<std::vector<float>>& columns,
                                 const std::vector<std::uint8_t>* weights, std::uint8_t flip) {
  const std::size_t d = columns.size(), n = columns.front().size();
  const auto weight = [&](std::size_t i) { return weights == nullptr ? 1.0 : double((*weights)[i] ^ flip); };
  double total = 0;
  for (std::size_t i = 0; i < n; ++i) total += weight(i);
  std::vector<std::vector<double>> centred(d, std::vector<double>(n));
  for (std::size_t k = 0; k < d; ++k) {
    double mean = 0;
    for (std::size_t i = 0; i < n; ++i) mean += weight(i) * double{columns[k][i]};
    mean /= total;
    double squares = 0;
    for (std::size_t i = 0; i < n; ++i) {
      centred[k][i] = std::sqrt(weight(i)) * (columns[k][i] - mean);
      squares += centred[k][i] * centred[k][i];
    }
    const double unit = squares > 0 ? 1 / std::sqrt(squares) : 0;
    for (double& value : centred[k]) value *= unit;
  }
  std::vector<double> result(d * d);
  for (std::size_t k = 0; k < d; ++k)
    for (std::size_t l = 0; l <= k; ++l)
      result[k * d + l] = result[l * d + k] =
          std::inner_product(centred[k].begin(), centred[k].end(), centred[l].begin(), 0.0);
  return result;
}

// @param d layers that have cells: the others correlate with nothing
double mean_difference(const std::vector<double>& p, const std::vector<double>& q, std::size_t d) {
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) sum += std::abs(p[i] - q[i]);
  return d > 1 ? sum / static_cast<double>(d * (d - 1)) : 0;
}

Correlations compare_correlations(const GroupSample& full, const GroupSample& fast, std::size_t d,
                                  const Resampling& resampling, core::ThreadPool& pool) {
  if (std::min(full.showers, fast.showers) < kFewestCorrelated) return {};
  constexpr std::size_t kEnergy = layer_observable_index("layer_energy");
  const auto& p = full.layers[kEnergy];
  const auto& q = fast.layers[kEnergy];
  Correlations result{.full = correlations(p, nullptr, 0), .fast = correlations(q, nullptr, 0)};
  result.mean_difference.value = mean_difference(result.full, result.fast, d);
  // Fewer replicas than elsewhere: each costs layers² x showers.
  const std::size_t replicas = std::min<std::size_t>(10, resampling.full.size()),
                    halves = std::min<std::size_t>(5, resampling.halves.size());
  std::vector<double> resampled(replicas), floors(halves);
  pool.for_each(replicas + halves, [&](std::size_t i) {
    if (i < replicas) {
      resampled[i] = mean_difference(correlations(p, &resampling.full[i], 0),
                                     correlations(q, &resampling.fast[i], 0), d);
    } else {
      const std::vector<std::uint8_t>* half = &resampling.halves[i - replicas];
      floors[i - replicas] = mean_difference(correlations(p, half, 0), correlations(p, half, 1), d);
    }
  });
  result.mean_difference.error = spread(resampled).deviation;
  result.mean_difference.set_floor(floors);
  return result;
}

// Depths are in layers where nobody knows how thick those are.
const char* unit_of(const Observable& observable, const MeshAxes& axes) {
  if (axes.has_depth || !observable.is_depth) return observable.unit;
  return std::string_view(observable.unit) == "mm^2" ? "layers^2" : "layers";
}

}  // namespace

const Comparison& ConditionComparison::observable(const std::string& wanted) const {
  for (const Comparison& comparison : observables)
    if (comparison.name == wanted) return comparison;
  throw core::InputError({.message = "was not compared", .field = wanted});
}

ConditionComparison compare_groups(const std::string& name, GroupSample& full, GroupSample& fast,
                                   const MeshAxes& axes, const ComparisonOptions& options,
                                   core::ThreadPool& pool) {
  ConditionComparison result{.name = name,
                             .geometry = full.geometry,
                             .energy_gev = full.mean_energy_gev(),
                             .angle_deg = std::round(full.angle_deg * 100) / 100,
                             .full_showers = static_cast<std::int64_t>(full.showers),
                             .fast_showers = static_cast<std::int64_t>(fast.showers),
                             .full_empty = full.empty_showers,
                             .fast_empty = fast.empty_showers};
  const Resampling resampling(full.showers, fast.showers, options);
  const auto layers = static_cast<std::size_t>(axes.layers);

  // The layers' energies in MeV, for the profile.
  const auto in_mev = [](const GroupSample& group) {
    std::vector<std::vector<float>> mev = group.layers[layer_observable_index("layer_energy")];
    for (auto& layer : mev)
      for (std::size_t i = 0; i < layer.size(); ++i)
        layer[i] = static_cast<float>(layer[i] * group.incident_mev[i]);
    return mev;
  };
  const std::vector<std::vector<float>> full_layers = in_mev(full), fast_layers = in_mev(fast);
  const auto of = [](const std::vector<std::vector<float>>& steps) {
    return [&steps](std::size_t k) -> const std::vector<float>& { return steps[k]; };
  };

  std::vector<std::function<Comparison()>> tasks;
  std::vector<Comparison*> places;
  result.observables.reserve(std::size(kObservables) + 4);
  const auto later = [&](std::function<Comparison()> task) {
    tasks.push_back(std::move(task));
    places.push_back(&result.observables.emplace_back());
  };
  const auto observable = [&](std::size_t k) {
    const Observable& o = kObservables[k];
    std::optional<BinRange> range;
    if (o.has_bin_for_layer)
      range = BinRange{.low = -axes.layer_mm / 2,
                       .high = (axes.layers - 0.5) * axes.layer_mm,
                       .bins = static_cast<std::size_t>(axes.layers)};
    const char* unit = unit_of(o, axes);
    later([&, k, o, range, unit] {
      return compare_values(o.name, o.title, unit, full.observables[k], fast.observables[k], range,
                            resampling);
    });
  };
  constexpr std::size_t kResponse = observable_index("response"),
                        kDepth = observable_index("longitudinal_first_moment"),
                        kRadius = observable_index("lateral_first_moment");
  observable(kResponse);
  later([&] {
    Comparison c = compare_profiles("longitudinal_profile", "Longitudinal profile",
                                    axes.has_depth ? "mm" : "layers", 0, axes.layer_mm * axes.layers, layers,
                                    of(full_layers), of(fast_layers), full, fast, true, resampling);
    mean_and_error(finite(full.observables[kDepth]), c.full_mean, c.full_mean_error);
    mean_and_error(finite(fast.observables[kDepth]), c.fast_mean, c.fast_mean_error);
    return c;
  });
  later([&] {
    Comparison c = compare_profiles("lateral_profile", "Lateral profile", "mm", 0, axes.ring_mm * axes.rings,
                                    full.ring_mev.size(), of(full.ring_mev), of(fast.ring_mev), full, fast,
                                    true, resampling);
    mean_and_error(finite(full.observables[kRadius]), c.full_mean, c.full_mean_error);
    mean_and_error(finite(fast.observables[kRadius]), c.fast_mean, c.fast_mean_error);
    return c;
  });
  if (axes.sectors > 1)
    later([&] {
      return compare_profiles("azimuthal_profile", "Azimuthal profile", "deg", -180, 180,
                              full.sector_mev.size(), of(full.sector_mev), of(fast.sector_mev), full, fast,
                              false, resampling);
    });
  for (std::size_t k = 0; k < std::size(kObservables); ++k)
    if (k != kResponse) observable(k);
  later([&] { return compare_cells(full, fast, resampling); });
  for (std::size_t k = 0; k < std::size(kLayerObservables); ++k) {
    const LayerObservable& o = kLayerObservables[k];
    result.layered.push_back({.name = o.name, .title = o.title, .layers = std::vector<Comparison>(layers)});
  }
  for (std::size_t k = 0; k < std::size(kLayerObservables); ++k)
    for (std::size_t layer = 0; layer < layers; ++layer) {
      const LayerObservable& o = kLayerObservables[k];
      places.push_back(&result.layered[k].layers[layer]);
      tasks.emplace_back([&, k, layer, o] {
        // A number that no shower can have is not compared: tests of it would count among the others.
        if (!axes.has_cells[layer] || (o.needs_sectors && !axes.has_sectors[layer]))
          return compare_values<float>(o.name, o.title, o.unit, {}, {}, {}, resampling);
        return compare_values(o.name, o.title, o.unit, full.layers[k][layer], fast.layers[k][layer], {},
                              resampling);
      });
    }
  pool.for_each(tasks.size(), [&](std::size_t i) { *places[i] = tasks[i](); });
  result.correlations = compare_correlations(full, fast, axes.layers_with_cells(), resampling, pool);
  result.full_cell_mev = std::move(full.mean_cell_mev);
  result.fast_cell_mev = std::move(fast.mean_cell_mev);
  result.full_examples = std::move(full.examples);
  result.fast_examples = std::move(fast.examples);
  return result;
}

}  // namespace calo
