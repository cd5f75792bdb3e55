#include "calo/validate/detail/matching.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "calo/validate/distances.h"
#include "calo/validate/features.h"
#include "core/error.h"

namespace calo {
namespace {

constexpr std::int64_t kLooked = 200;  // showers

// Profiles and response of the first showers; those of the conditions that both have would be better, but the
// factor of another unit and another order of cells are seen in any.
struct Look {
  double response = 0;        // median
  std::vector<double> cells;  // energy of each cell, each shower counting once

  Look(ShowerReader& reader, double threshold_mev)
      : cells(static_cast<std::size_t>(reader.info().mesh.num_cells())) {
    const Showers showers = reader.read(0, kLooked);
    std::vector<double> responses;
    for (std::size_t i = 0; i < showers.size(); ++i) {
      double total = 0;
      const auto hits = showers.cells_of(i);
      const auto energies = showers.energies_of(i);
      const auto counts = [&](float e) { return std::isfinite(e) && e > 0 && e >= threshold_mev; };
      for (const float energy : energies)
        if (counts(energy)) total += energy;
      if (!(total > 0)) continue;
      for (std::size_t hit = 0; hit < hits.size(); ++hit)
        if (counts(energies[hit])) cells[hits[hit]] += energies[hit] / total;
      responses.push_back(total / showers.conditions[i].incident_energy_mev);
    }
    if (responses.empty()) return;
    const auto middle = responses.begin() + static_cast<std::ptrdiff_t>(responses.size() / 2);
    std::nth_element(responses.begin(), middle, responses.end());
    response = *middle;
  }
};

// Energy by layer and by ring, one after the other, of cells that lie in the order of axes given (0 = r, 1 =
// phi, 2 = z; the last is the fastest).
std::vector<double> profiles(const std::vector<double>& cells, const VoxelMesh::Cylinder& c,
                             const std::array<int, 3>& order) {
  const int size[3] = {c.n_r, c.n_phi, c.n_z};
  std::vector<double> result(static_cast<std::size_t>(c.n_z) + static_cast<std::size_t>(c.n_r), 0.0);
  std::size_t cell = 0;
  int at[3];
  for (at[order[0]] = 0; at[order[0]] < size[order[0]]; ++at[order[0]])
    for (at[order[1]] = 0; at[order[1]] < size[order[1]]; ++at[order[1]])
      for (at[order[2]] = 0; at[order[2]] < size[order[2]]; ++at[order[2]], ++cell) {
        result[static_cast<std::size_t>(at[2])] += cells[cell];
        result[static_cast<std::size_t>(c.n_z) + static_cast<std::size_t>(at[0])] += cells[cell];
      }
  return result;
}

double largest_energy(const ShowerReader& reader) {
  double largest = 0;
  for (const Conditions& condition : reader.conditions())
    if (std::isfinite(condition.incident_energy_mev))
      largest = std::max(largest, double{condition.incident_energy_mev});
  return largest;
}

// Whether a ratio is that of another unit (MeV, GeV, keV, eV), within a third.
bool is_other_unit(double ratio) {
  for (const double factor : {1e-6, 1e-3, 1e3, 1e6})
    if (ratio > factor / 1.33 && ratio < factor * 1.33) return true;
  return false;
}

}  // namespace

void check_match(ShowerReader& full, ShowerReader& fast, double threshold_mev, bool have_common) {
  const VoxelMesh& mesh = full.info().mesh;
  const auto& full_file = full.info().files.front();
  const auto& fast_file = fast.info().files.front();
  const double energies = largest_energy(fast) / largest_energy(full);
  if (!have_common && is_other_unit(energies))
    throw core::InputError(
        {.message = fmt::format("has incident energies up to {:.4g} MeV, and {} up to {:.4g} MeV",
                                largest_energy(fast), full_file.string(), largest_energy(full)),
         .file = fast_file,
         .field = "incident energy",
         .hint = "they look like another unit: files hold MeV"});
  const Look full_look(full, threshold_mev), fast_look(fast, threshold_mev);
  if (!(full_look.response > 0) || !(fast_look.response > 0)) return;
  if (is_other_unit(fast_look.response / full_look.response))
    throw core::InputError(
        {.message = fmt::format("deposits {:.3g} of the incident energy, and {} {:.3g}", fast_look.response,
                                full_file.string(), full_look.response),
         .file = fast_file,
         .field = "cell energies",
         .hint = "they look like another unit: files hold MeV"});
  if (!mesh.is_cylinder()) return;
  // A poor model makes other showers, but none that fit in another order and not in this one.
  constexpr double kUnlike = 0.2, kAlike = 0.02;
  const VoxelMesh::Cylinder& c = mesh.cylinder();
  const std::vector<double> expected = profiles(full_look.cells, c, {0, 1, 2});
  if (jensen_shannon(expected, profiles(fast_look.cells, c, {0, 1, 2})) < kUnlike) return;
  static constexpr std::pair<std::array<int, 3>, const char*> kOrders[] = {{{2, 1, 0}, "[z, phi, r]"},
                                                                           {{2, 0, 1}, "[z, r, phi]"},
                                                                           {{0, 2, 1}, "[r, z, phi]"},
                                                                           {{1, 0, 2}, "[phi, r, z]"},
                                                                           {{1, 2, 0}, "[phi, z, r]"}};
  for (const auto& [order, name] : kOrders)
    if (jensen_shannon(expected, profiles(fast_look.cells, c, order)) < kAlike)
      throw core::InputError(
          {.message = fmt::format("has its cells in the order {}, it seems: read as [r, phi, z] they "
                                  "are no showers, read so they are those of {}",
                                  name, full_file.string()),
           .file = fast_file,
           .field = "cells",
           .hint = "write them in the layout's order (doc/formats.md)"});
}

}  // namespace calo
