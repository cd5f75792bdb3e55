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

Fit fit(const Showers& showers, std::span<const std::uint32_t> training, const CascadeMesh& mesh) {
  const CellPlaces places(mesh);
  Fit result;
  float least = std::numeric_limits<float>::max();
  double sum = 0, responses = 0;
  std::size_t hits = 0, filled = 0;
  std::vector<double> layers(static_cast<std::size_t>(mesh.n_z()));
  for (const std::uint32_t shower : training) {
    const double total = each_hit(showers, shower, [&](std::uint32_t cell, float energy) {
      least = std::min(least, energy);
      ++hits;
      layers[places[cell].layer] += energy;
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
  result.spectra.assign(static_cast<std::size_t>(mesh.rings()) * Spectra::kBins, 0.0);
  std::vector<std::size_t> first_ring;  // of each layer
  for (const std::size_t segmentation : mesh.of_layer)
    first_ring.push_back(static_cast<std::size_t>(mesh.rings_before(segmentation)));
  for (const std::uint32_t shower : training) {
    const double total = each_hit(showers, shower, [&](std::uint32_t cell, float energy) {
      const float bin = std::log(energy / least) / Spectra::kBinWidth;
      const std::size_t ring = first_ring[places[cell].layer] + places[cell].ring;
      result.spectra[ring * Spectra::kBins +
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

CellPlaces::CellPlaces(const CascadeMesh& mesh) : places_(static_cast<std::size_t>(mesh.num_cells())) {
  for (int layer = 0; layer < mesh.n_z(); ++layer) {
    const std::vector<std::uint32_t> cells = mesh.cells_of(layer);
    const auto n_phi = static_cast<std::uint32_t>(mesh.layer(layer).n_phi);
    for (std::uint32_t i = 0; i < cells.size(); ++i)
      places_[cells[i]] = {.layer = static_cast<std::uint32_t>(layer), .ring = i / n_phi, .phi = i % n_phi};
  }
}

LayeredShower::LayeredShower(const CascadeMesh& mesh)
    : places_(mesh),
      cells_(static_cast<std::size_t>(mesh.num_cells())),
      layer_energies_(static_cast<std::size_t>(mesh.n_z())) {
  std::size_t begin = 0;
  for (int layer = 0; layer < mesh.n_z(); ++layer) {
    const Segmentation& segmentation = mesh.layer(layer);
    n_phi_.push_back(static_cast<std::uint32_t>(segmentation.n_phi));
    begin_.push_back(begin);
    begin += segmentation.cells();
    can_turn_ = can_turn_ && (segmentation.n_phi == 1 || segmentation.n_phi % 2 == 0);
  }
}

void LayeredShower::read(const Showers& showers, std::size_t shower, bool mirror, bool turn) {
  std::fill(cells_.begin(), cells_.end(), 0.0f);
  std::fill(layer_energies_.begin(), layer_energies_.end(), 0.0f);
  total_mev_ = static_cast<float>(each_hit(showers, shower, [&](std::uint32_t cell, float energy) {
    const CellPlaces::Place& at = places_[cell];
    const std::uint32_t n_phi = n_phi_[at.layer];
    std::uint32_t phi = mirror ? n_phi - 1 - at.phi : at.phi;
    if (turn) phi = (phi + n_phi / 2) % n_phi;
    cells_[begin_[at.layer] + at.ring * n_phi + phi] = energy;
    layer_energies_[at.layer] += energy;
  }));
}

}  // namespace calo::cascade
