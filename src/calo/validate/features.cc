#include "calo/validate/features.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace calo {
namespace {

// Shares below look alike: a tail that reaches down to single keV says little of a shower.
constexpr double kSmallestShare = 1e-5;

Moments moments(const std::vector<double>& energies, double total, double size_mm) {
  Moments result;
  for (std::size_t k = 0; k < energies.size(); ++k)
    result.first += energies[k] * static_cast<double>(k) * size_mm;
  result.first /= total;
  for (std::size_t k = 0; k < energies.size(); ++k) {
    const double distance = static_cast<double>(k) * size_mm - result.first;
    result.second += energies[k] * distance * distance;
  }
  result.second /= total;
  return result;
}

}  // namespace

FeatureExtractor::FeatureExtractor(const VoxelMesh& mesh, double threshold_mev)
    : mesh_(mesh), cylinder_(mesh.cylinder()), threshold_mev_(threshold_mev) {}

bool FeatureExtractor::counts(double energy_mev) const {
  return energy_mev > 0 && energy_mev >= threshold_mev_ && std::isfinite(energy_mev);
}

const ShowerFeatures& FeatureExtractor::extract(const Showers& showers, std::size_t shower) {
  ShowerFeatures& out = features_;
  out.incident_energy_mev = showers.conditions[shower].incident_energy_mev;
  out.cells = 0;
  out.layer_mev.assign(static_cast<std::size_t>(cylinder_.n_z), 0.0);
  out.ring_mev.assign(static_cast<std::size_t>(cylinder_.n_r), 0.0);
  const auto cells = showers.cells_of(shower);
  const auto energies = showers.energies_of(shower);
  for (std::size_t hit = 0; hit < cells.size(); ++hit) {
    const double energy = energies[hit];
    if (!counts(energy)) continue;
    const CellPosition position = mesh_.position(cells[hit]);
    out.layer_mev[static_cast<std::size_t>(position.layer)] += energy;
    out.ring_mev[static_cast<std::size_t>(position.r)] += energy;
    ++out.cells;
  }
  out.total_mev = std::accumulate(out.layer_mev.begin(), out.layer_mev.end(), 0.0);
  out.longitudinal = out.lateral = {};
  if (!out.is_empty()) {
    out.longitudinal = moments(out.layer_mev, out.total_mev, cylinder_.size_z_mm);
    out.lateral = moments(out.ring_mev, out.total_mev, cylinder_.size_r_mm);
  }
  return out;
}

FeatureTable high_level_table(const VoxelMesh& mesh) {
  FeatureTable table{.names = {"log10_incident_energy", "response", "longitudinal_first_moment",
                               "longitudinal_second_moment", "lateral_first_moment", "lateral_second_moment",
                               "sparsity"}};
  for (int layer = 0; layer < mesh.num_layers(); ++layer)
    table.names.push_back(fmt::format("log10_share_of_layer_{}", layer));
  return table;
}

void append_row(FeatureTable& table, const ShowerFeatures& features, std::int64_t num_cells) {
  const auto add = [&](double value) {
    constexpr double kLargest = std::numeric_limits<float>::max();
    table.values.push_back(
        static_cast<float>(std::isfinite(value) ? std::clamp(value, -kLargest, kLargest) : 0.0));
  };
  add(std::log10(features.incident_energy_mev / 1000));
  add(features.total_mev / features.incident_energy_mev);
  add(features.longitudinal.first);
  add(features.longitudinal.second);
  add(features.lateral.first);
  add(features.lateral.second);
  add(1 - static_cast<double>(features.cells) / static_cast<double>(num_cells));
  for (const double energy : features.layer_mev)
    add(std::log10(std::max(kSmallestShare, features.is_empty() ? 0.0 : energy / features.total_mev)));
}

}  // namespace calo
