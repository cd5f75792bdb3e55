#include "calo/validate/separation_scores.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace calo {
namespace {

constexpr double kLeastMev = 0.5e-3 / 0.033;  // 0.5 keV of active energy over the sampling fraction
constexpr double kLeastMevOfDataSet1 = 10;
constexpr std::size_t kShapeBins = 100;

// How far out a quantity of a layer is looked at, mm: the CaloChallenge's ranges, of layered meshes those of
// data set 1 (there the hadronic layers 12 and 13 are the ones that reach beyond a metre).
double reach_mm(const MeshAxes& axes, std::size_t layer, Shape shape) {
  constexpr double kWideLayer = 1000;
  if (axes.is_cylinder) return 30;
  if (axes.radius_mm[layer] < kWideLayer) return 100;
  return shape == Shape::kWidth ? 400 : 500;
}

std::vector<std::size_t> layers_that(const std::vector<bool>& have_it) {
  std::vector<std::size_t> layers;
  for (std::size_t layer = 0; layer < have_it.size(); ++layer)
    if (have_it[layer]) layers.push_back(layer);
  return layers;
}

using Value = std::function<double(const GroupSample& group, std::size_t shower)>;

// Mean over distributions: the k-th is that of value(k), in the bins that bins(k, full values) gives.
std::optional<Estimate> mean_separation(
    const ScoreInputs& in, std::size_t distributions, const std::function<Value(std::size_t k)>& value,
    const std::function<BinRange(std::size_t k, const std::vector<double>& full)>& bins) {
  if (in.sample.size() < 2 || distributions == 0) return std::nullopt;
  const ScoreInputs::Resampling& resampling = in.resampling();
  std::vector<Estimate> estimates(distributions);
  in.pool.for_each(distributions, [&](std::size_t k) {
    const std::vector<double> p = in.sample.values(in.sample.full(), value(k)),
                              q = in.sample.values(in.sample.fast(), value(k));
    estimates[k] = sample_distances(p, q, bins(k, p), resampling.full, resampling.fast, resampling.halves)
                       .estimates.of("separation");
  });
  Estimate mean{.has_floor = !resampling.halves.empty()};
  for (const Estimate& estimate : estimates) {
    const auto n = static_cast<double>(distributions);
    mean.value += estimate.value / n;
    mean.floor += estimate.floor / n;
    // Layers of one shower belong together: errors are added as if they were one.
    mean.error += estimate.error / n;
    mean.floor_error += estimate.floor_error / n;
  }
  return mean;
}

}  // namespace

std::optional<Estimate> response_separation(const ScoreInputs& in) {
  return mean_separation(
      in, 1,
      [](std::size_t) {
        return [](const GroupSample& group, std::size_t i) {
          return group.observables[observable_index("response")][i];
        };
      },
      [](std::size_t, const auto&) { return BinRange{.low = 0.5, .high = 1.5, .bins = 100}; });
}

// log10 of the energy in even bins to the largest; layers below the least are in the first bin.
std::optional<Estimate> layer_energy_separation(const ScoreInputs& in) {
  const std::vector<std::size_t> layers = layers_that(in.axes.has_cells);
  const double least_mev = in.axes.is_cylinder ? kLeastMev : kLeastMevOfDataSet1;
  return mean_separation(
      in, layers.size(),
      [&](std::size_t k) {
        return [layer = layers[k], least_mev](const GroupSample& group, std::size_t i) {
          const float share = group.layers[layer_observable_index("layer_energy")][layer][i];
          return std::log10(std::max(least_mev, share * group.incident_mev[i]));
        };
      },
      [least_mev](std::size_t, const std::vector<double>& full) {
        const double low = std::log10(least_mev), high = *std::max_element(full.begin(), full.end());
        return BinRange{.low = low, .high = std::max(low + 1e-6, high), .bins = 39};
      });
}

std::optional<Estimate> shape_separation(const ScoreInputs& in, std::size_t observable, Shape shape) {
  const std::vector<std::size_t> layers = layers_that(in.axes.has_sectors);
  return mean_separation(
      in, layers.size(),
      [&](std::size_t k) {
        return [observable, layer = layers[k]](const GroupSample& group, std::size_t i) {
          return double{group.layers[observable][layer][i]};
        };
      },
      [&](std::size_t k, const auto&) {
        const double reach = reach_mm(in.axes, layers[k], shape);
        return BinRange{.low = shape == Shape::kWidth ? 0 : -reach, .high = reach, .bins = kShapeBins};
      });
}

}  // namespace calo
