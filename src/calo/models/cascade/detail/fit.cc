#include "calo/models/cascade/detail/fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"

namespace calo::cascade {
namespace {

// Calls body(cell, energy in MeV) for each cell of a shower with energy, and returns the sum of the energies.
template <class Body>
double each_hit(const Showers& showers, std::size_t shower, const Body& body) {
  const auto cells = showers.cells_of(shower);
  const auto energies = showers.energies_of(shower);
  double total = 0;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (!(energies[i] > 0)) continue;
    body(cells[i], energies[i]);
    total += energies[i];
  }
  return total;
}

}  // namespace

Fit fit(const Showers& showers, std::span<const std::uint32_t> training, const VoxelMesh::Cylinder& mesh) {
  Fit result;
  float least = std::numeric_limits<float>::max();
  double sum = 0, responses = 0;
  std::size_t hits = 0, filled = 0;
  std::vector<double> layers(static_cast<std::size_t>(mesh.n_z));
  for (const std::uint32_t shower : training) {
    const double total = each_hit(showers, shower, [&](std::uint32_t cell, float energy) {
      least = std::min(least, energy);
      ++hits;
      layers[cell % static_cast<std::uint32_t>(mesh.n_z)] += energy;
    });
    if (!(total > 0)) continue;
    ++filled;
    sum += total;
    responses += total / showers.conditions[shower].incident_energy_mev;
  }
  if (filled == 0) throw core::InputError({.message = "no shower has energy in a cell", .field = "showers"});
  constexpr double kLeastOfMean = 1e-6;
  if (least < kLeastOfMean * sum / static_cast<double>(hits))
    throw core::InputError(
        {.message =
             fmt::format("a cell has {:g} MeV, but the mean is {:g}: a cascade needs showers with a readout "
                         "threshold",
                         least, sum / static_cast<double>(hits)),
         .field = "threshold_mev",
         .hint = "prepare the showers with preprocess --threshold-mev"});
  result.threshold_mev = least;
  result.mean_response = static_cast<float>(responses / static_cast<double>(filled));
  result.layer_cuts = Frame::cuts_of(layers);

  double squares = 0;
  result.spectra.assign(static_cast<std::size_t>(mesh.n_r) * Spectra::kBins, 0.0);
  const auto column = static_cast<std::uint32_t>(mesh.n_phi * mesh.n_z);
  for (const std::uint32_t shower : training) {
    const double total = each_hit(showers, shower, [&](std::uint32_t cell, float energy) {
      const float bin = std::log(energy / least) / Spectra::kBinWidth;
      result.spectra[cell / column * Spectra::kBins +
                     std::min<std::size_t>(static_cast<std::size_t>(bin), Spectra::kBins - 1)] += 1;
    });
    if (!(total > 0)) continue;
    const double incident = showers.conditions[shower].incident_energy_mev;
    const double offset = std::log(total / (incident * result.mean_response)) * std::sqrt(incident / 1000);
    squares += offset * offset;
  }
  const double width = std::sqrt(squares / static_cast<double>(filled));
  result.response_width = static_cast<float>(std::max(width, 1e-3));
  return result;
}

LayeredShower::LayeredShower(const VoxelMesh::Cylinder& mesh)
    : mesh_(mesh),
      columns_(static_cast<std::size_t>(mesh.n_r) * static_cast<std::size_t>(mesh.n_phi)),
      cells_(columns_ * static_cast<std::size_t>(mesh.n_z)),
      layer_energies_(static_cast<std::size_t>(mesh.n_z)) {}

void LayeredShower::read(const Showers& showers, std::size_t shower, bool mirror, int turn) {
  std::fill(cells_.begin(), cells_.end(), 0.0f);
  std::fill(layer_energies_.begin(), layer_energies_.end(), 0.0f);
  const auto n_z = static_cast<std::uint32_t>(mesh_.n_z), n_phi = static_cast<std::uint32_t>(mesh_.n_phi);
  total_mev_ = static_cast<float>(each_hit(showers, shower, [&](std::uint32_t cell, float energy) {
    const std::uint32_t layer = cell % n_z, column = cell / n_z, ring = column / n_phi;
    std::uint32_t phi = column % n_phi;
    if (mirror) phi = n_phi - 1 - phi;
    phi = (phi + static_cast<std::uint32_t>(turn)) % n_phi;
    cells_[layer * columns_ + ring * n_phi + phi] = energy;
    layer_energies_[layer] += energy;
  }));
}

}  // namespace calo::cascade
