#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "calo/io/shower_reader.h"

namespace calo {

/// Contents of a data set: its shape, its conditions, a summary of its physics, and its problems.
struct DatasetReport {
  struct Group {
    std::string geometry;
    double min_energy_gev = 0, max_energy_gev = 0;
    double angle_deg = 0;
    std::int64_t showers = 0;
    double response = 0;         ///< mean of total over incident energy
    double response_spread = 0;  ///< its standard deviation over the showers
  };

  DatasetInfo info;
  std::vector<Group> groups;   ///< by geometry, energy and angle; one per geometry if there are many energies
  double filled_fraction = 0;  ///< share of cells that are not zero
  double smallest_cell_mev = 0, largest_cell_mev = 0;  ///< range of the cells above zero
  std::vector<double> longitudinal;                    ///< mean share of the energy in each layer
  std::int64_t nan_cells = 0, negative_cells = 0, empty_showers = 0, saturated_cells = 0;
  std::int64_t bad_energies = 0;      ///< incident energies that are not finite and positive
  std::int64_t too_much_energy = 0;   ///< showers with more than 1.5 times their incident energy
  std::int64_t repeated_showers = 0;  ///< showers that equal an earlier one
  std::vector<Remark> notes;          ///< notes of `info`, and those from the showers

  nlohmann::json to_json() const;
  std::string to_text() const;
};

/// Reads the whole data set once, in bounded memory.
DatasetReport inspect(ShowerReader& reader);

}  // namespace calo
