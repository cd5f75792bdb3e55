#include "calo/shower/showers.h"

#include <algorithm>
#include <numeric>

namespace calo {

double Showers::total_energy_mev(std::size_t shower) const {
  const auto energies = energies_of(shower);
  return std::accumulate(energies.begin(), energies.end(), 0.0);
}

void Showers::append(const Conditions& condition, std::span<const std::uint32_t> hit_cells,
                     std::span<const float> hit_energies_mev) {
  conditions.push_back(condition);
  cells.insert(cells.end(), hit_cells.begin(), hit_cells.end());
  energies_mev.insert(energies_mev.end(), hit_energies_mev.begin(), hit_energies_mev.end());
  offsets.push_back(cells.size());
}

void Showers::append_dense(const Conditions& condition, std::span<const float> all_cells_mev) {
  conditions.push_back(condition);
  for (std::size_t cell = 0; cell < all_cells_mev.size(); ++cell) {
    if (all_cells_mev[cell] == 0) continue;
    cells.push_back(static_cast<std::uint32_t>(cell));
    energies_mev.push_back(all_cells_mev[cell]);
  }
  offsets.push_back(cells.size());
}

void Showers::append(const Showers& other, std::size_t begin, std::size_t end) {
  if (num_cells_ == 0 && empty()) num_cells_ = other.num_cells_;
  std::vector<std::uint16_t> translated;
  for (const std::string& name : other.geometries) {
    auto found = std::find(geometries.begin(), geometries.end(), name);
    if (found == geometries.end()) found = geometries.insert(geometries.end(), name);
    translated.push_back(static_cast<std::uint16_t>(found - geometries.begin()));
  }
  for (std::size_t i = begin; i < end; ++i) {
    Conditions condition = other.conditions[i];
    if (condition.geometry < translated.size()) condition.geometry = translated[condition.geometry];
    append(condition, other.cells_of(i), other.energies_of(i));
  }
}

void Showers::to_dense(std::size_t shower, std::span<float> out_mev) const {
  std::fill(out_mev.begin(), out_mev.end(), 0.0f);
  const auto hit_cells = cells_of(shower);
  const auto hit_energies = energies_of(shower);
  for (std::size_t i = 0; i < hit_cells.size(); ++i) out_mev[hit_cells[i]] = hit_energies[i];
}

}  // namespace calo
