#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace calo {

/// Conditions under which a shower was made, and its simulation time.
struct Conditions {
  float incident_energy_mev = 0;
  float theta_rad =
      0;  ///< polar angle of the incident particle; 90 degrees = perpendicular entry in the data sets
  float phi_rad = 0;
  std::uint16_t geometry = 0;  ///< index into Showers::geometries
  /// Simulation time on one thread; NaN if unknown.
  float sim_time_s = std::numeric_limits<float>::quiet_NaN();
};

/// A batch of sparse showers: only cells with energy (1–3 % of them), in ascending order of the mesh's
/// canonical index.
class Showers {
 public:
  Showers() = default;
  /// @param num_cells cells of the mesh
  Showers(std::int64_t num_cells, std::vector<std::string> geometry_names)
      : geometries(std::move(geometry_names)), num_cells_(num_cells) {}

  std::size_t size() const { return conditions.size(); }
  bool empty() const { return conditions.empty(); }
  std::int64_t num_cells() const { return num_cells_; }
  /// Number of cells with energy, over all showers.
  std::size_t num_hits() const { return cells.size(); }

  std::span<const std::uint32_t> cells_of(std::size_t shower) const {
    return {cells.data() + offsets[shower], cells.data() + offsets[shower + 1]};
  }
  std::span<const float> energies_of(std::size_t shower) const {
    return {energies_mev.data() + offsets[shower], energies_mev.data() + offsets[shower + 1]};
  }
  /// Sum over the cells, MeV.
  double total_energy_mev(std::size_t shower) const;

  /// Appends a shower with the given hits (ascending cells). Zero energies are allowed and kept.
  void append(const Conditions& condition, std::span<const std::uint32_t> hit_cells,
              std::span<const float> hit_energies_mev);
  /// Appends a shower with the energies of all cells; cells that are exactly 0 are omitted, NaN and negative
  /// ones are kept.
  void append_dense(const Conditions& condition, std::span<const float> all_cells_mev);
  /// Appends showers [begin, end) of `other`, which must have the same mesh; geometry indices are translated
  /// by name.
  void append(const Showers& other, std::size_t begin, std::size_t end);

  /// Writes all cells of one shower; `out` has num_cells() elements.
  void to_dense(std::size_t shower, std::span<float> out_mev) const;

  std::vector<std::string> geometries;
  std::vector<Conditions> conditions;
  std::vector<std::uint64_t> offsets{0};  ///< size() + 1; hits of shower i are [offsets[i], offsets[i + 1])
  std::vector<std::uint32_t> cells;
  std::vector<float> energies_mev;

 private:
  std::int64_t num_cells_ = 0;
};

}  // namespace calo
