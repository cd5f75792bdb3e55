#include "calo/classify/classifier_inputs.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace calo {
namespace {

constexpr double kLargestFeature = 10;  // in standard deviations
// Of 100 E / E_incident: a hundred times what a whole shower can have. A corrupt cell must not make
// infinities.
constexpr float kLargestShare = 1e4f;

double log_incident(const Showers& showers, std::size_t shower) {
  return std::log10(static_cast<double>(showers.conditions[shower].incident_energy_mev));
}

}  // namespace

ClassifierInputs::ClassifierInputs(NetworkKind kind, const ClassifiedShowers& showers, double threshold_mev)
    : kind_(kind),
      full_(showers.full),
      fast_(showers.fast),
      threshold_mev_(threshold_mev),
      cells_(static_cast<std::size_t>(showers.mesh.num_cells())),
      layers_(static_cast<std::size_t>(showers.mesh.num_layers())),
      columns_(kind == NetworkKind::kHighLevel          ? showers.full.features.columns()
               : kind == NetworkKind::kNormalisedVoxels ? cells_ + layers_ + 1
               : kind == NetworkKind::kCnn              ? cells_ + 2
                                                        : cells_ + 1) {
  if (kind != NetworkKind::kNormalisedVoxels) return;
  for (std::size_t cell = 0; cell < cells_; ++cell)
    layer_of_cell_.push_back(
        static_cast<std::uint16_t>(showers.mesh.position(static_cast<std::uint32_t>(cell)).layer));
}

void ClassifierInputs::fit(std::span<const std::size_t> rows) {
  mean_.clear();
  scale_.clear();
  const auto add = [&](const auto& value_of) {
    const double origin = value_of(full_, rows.front());  // large means lose no digits
    double sum = 0, squares = 0;
    for (const std::size_t row : rows)
      for (const ClassifierShowers* side : {&full_, &fast_}) {
        const double value = value_of(*side, row) - origin;
        sum += value;
        squares += value * value;
      }
    const auto count = static_cast<double>(2 * rows.size());
    const double mean = sum / count, variance = squares / count - mean * mean;
    mean_.push_back(mean + origin);
    // What does not vary carries nothing; rounding may leave a rest of variance.
    scale_.push_back(variance > 1e-12 * std::max(1.0, mean * mean) ? 1 / std::sqrt(variance) : 0);
  };
  if (kind_ == NetworkKind::kHighLevel)
    for (std::size_t column = 0; column < columns_; ++column)
      add([&](const ClassifierShowers& side, std::size_t row) {
        return static_cast<double>(side.features.row(row)[column]);
      });
  if (kind_ != NetworkKind::kCnn) return;
  add([](const ClassifierShowers& side, std::size_t row) { return log_incident(side.showers, row); });
  add([&](const ClassifierShowers& side, std::size_t row) { return log_response(side.showers, row); });
}

double ClassifierInputs::log_response(const Showers& showers, std::size_t shower) const {
  double sum = 0;
  for (const float energy : showers.energies_of(shower))
    if (counts(energy)) sum += static_cast<double>(energy);
  return std::log10(sum / static_cast<double>(showers.conditions[shower].incident_energy_mev) + 1e-8);
}

double ClassifierInputs::standardised(std::size_t column, double value) const {
  return std::clamp((value - mean_[column]) * scale_[column], -kLargestFeature, kLargestFeature);
}

bool ClassifierInputs::counts(float energy_mev) const {
  return energy_mev > 0 && static_cast<double>(energy_mev) >= threshold_mev_ && std::isfinite(energy_mev);
}

void ClassifierInputs::append_features(const ClassifierSample& sample, SparseBatch& batch) const {
  const float* row = side(sample).features.row(sample.row);
  for (std::size_t column = 0; column < columns_; ++column) {
    batch.column.push_back(static_cast<std::uint32_t>(column));
    batch.value.push_back(static_cast<float>(standardised(column, static_cast<double>(row[column]))));
  }
}

void ClassifierInputs::append_cells(const ClassifierSample& sample, SparseBatch& batch) const {
  const Showers& showers = side(sample).showers;
  const auto cells = showers.cells_of(sample.row);
  const auto energies = showers.energies_of(sample.row);
  const double incident_mev = static_cast<double>(showers.conditions[sample.row].incident_energy_mev);
  const bool normalised = kind_ == NetworkKind::kNormalisedVoxels, image = kind_ == NetworkKind::kCnn;
  const auto share_factor = static_cast<float>(100 / incident_mev);
  std::vector<double> layer_mev(normalised ? layers_ : 0, 0.0);
  if (normalised)
    for (std::size_t hit = 0; hit < cells.size(); ++hit)
      if (counts(energies[hit])) layer_mev[layer_of_cell_[cells[hit]]] += static_cast<double>(energies[hit]);
  const auto add = [&](std::size_t column, float value) {
    batch.column.push_back(static_cast<std::uint32_t>(column));
    batch.value.push_back(value);
  };
  for (std::size_t hit = 0; hit < cells.size(); ++hit) {
    const float energy = energies[hit];
    if (!counts(energy)) continue;
    if (normalised) {
      add(cells[hit],
          static_cast<float>(static_cast<double>(energy) / layer_mev[layer_of_cell_[cells[hit]]]));
      continue;
    }
    add(cells[hit], std::min(energy * share_factor, kLargestShare));
  }
  for (std::size_t layer = 0; layer < layer_mev.size(); ++layer)
    add(cells_ + layer, static_cast<float>(std::log10(layer_mev[layer] + 1e-8)));
  const double incident = log_incident(showers, sample.row);
  if (image) {
    add(cells_, static_cast<float>(standardised(0, incident)));
    add(cells_ + 1, static_cast<float>(standardised(1, log_response(showers, sample.row))));
  } else {
    add(columns_ - 1, static_cast<float>(incident));
  }
}

SparseBatch ClassifierInputs::batch(std::span<const ClassifierSample> samples) const {
  SparseBatch result;
  for (const ClassifierSample& sample : samples) {
    if (kind_ == NetworkKind::kHighLevel)
      append_features(sample, result);
    else
      append_cells(sample, result);
    result.begin.push_back(result.column.size());
  }
  return result;
}

std::vector<bool> ClassifierInputs::used_columns(std::span<const ClassifierSample> samples) const {
  std::vector<bool> used(columns_, false);
  for (const ClassifierSample& sample : samples) {
    const SparseBatch one = batch({&sample, 1});
    for (std::size_t i = 0; i < one.column.size(); ++i)
      if (one.value[i] != 0) used[one.column[i]] = true;
  }
  return used;
}

}  // namespace calo
