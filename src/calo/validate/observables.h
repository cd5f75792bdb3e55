#pragma once

#include <cmath>
#include <limits>
#include <string_view>

#include "calo/validate/features.h"
#include "calo/validate/named_rows.h"

namespace calo {

/// A number of each shower that is compared as a distribution.
struct Observable {
  const char* name;   ///< "longitudinal_first_moment"
  const char* title;  ///< "Longitudinal first moment"
  const char* unit;   ///< of the axis; "" = none
  /// NaN for a shower that has none (an empty one has no moments); those are left out.
  double (*value)(const ShowerFeatures& shower);
  bool is_depth = false;           ///< along the shower
  bool has_bin_for_layer = false;  ///< one bin for each layer, as the values are layers' positions
};

namespace observables {
template <auto Member>
double of_filled(const ShowerFeatures& shower) {
  return shower.is_empty() ? std::numeric_limits<double>::quiet_NaN() : shower.*Member;
}
template <auto Member, auto Part>
double moment(const ShowerFeatures& shower) {
  return shower.is_empty() ? std::numeric_limits<double>::quiet_NaN() : shower.*Member.*Part;
}
}  // namespace observables

/// MLFastSim's (utils/observables.py) and further ones of the shower as a whole.
inline constexpr Observable kObservables[] = {
    {"response", "Total energy over incident energy", "",
     [](const ShowerFeatures& s) { return s.total_mev / s.incident_energy_mev; }},
    {"longitudinal_first_moment", "Longitudinal first moment", "mm",
     observables::moment<&ShowerFeatures::longitudinal, &Moments::first>, true},
    {"longitudinal_second_moment", "Longitudinal second moment", "mm^2",
     observables::moment<&ShowerFeatures::longitudinal, &Moments::second>, true},
    {"lateral_first_moment", "Lateral first moment", "mm",
     observables::moment<&ShowerFeatures::lateral, &Moments::first>},
    {"lateral_second_moment", "Lateral second moment", "mm^2",
     observables::moment<&ShowerFeatures::lateral, &Moments::second>},
    {"depth_90", "Depth that holds 90 % of the energy", "mm",
     observables::of_filled<&ShowerFeatures::depth_90_mm>, true},
    {"radius_90", "Radius that holds 90 % of the energy", "mm",
     observables::of_filled<&ShowerFeatures::radius_90_mm>},
    {"peak_depth", "Depth of the layer with most energy", "mm",
     observables::of_filled<&ShowerFeatures::peak_depth_mm>, true, true},
    {"filled_cells", "Cells with energy", "",
     [](const ShowerFeatures& s) { return static_cast<double>(s.cells); }},
    {"hottest_cell", "Share of the energy in the hottest cell", "",
     [](const ShowerFeatures& s) {
       return s.is_empty() ? std::numeric_limits<double>::quiet_NaN() : s.hottest_cell_mev / s.total_mev;
     }},
};

static_assert(has_unique_names(kObservables));

/// Index of an observable in kObservables, by its name.
consteval std::size_t observable_index(std::string_view name) {
  return index_of(kObservables, name);
}

/// A number of each layer of a shower.
struct LayerObservable {
  const char* name;
  const char* title;
  const char* unit;
  double (*value)(const ShowerFeatures& shower, std::size_t layer);
  bool needs_sectors = false;  ///< of layers that are divided in phi only
};

namespace observables {
template <auto Member>
double of_layer(const ShowerFeatures& shower, std::size_t layer) {
  return shower.layers[layer].*Member;
}
}  // namespace observables

/// The CaloChallenge's (code/HighLevelFeatures.py).
inline constexpr LayerObservable kLayerObservables[] = {
    {"layer_energy", "Layer energy over incident energy", "",
     [](const ShowerFeatures& s, std::size_t layer) { return s.layer_mev[layer] / s.incident_energy_mev; }},
    {"layer_center_eta", "Centre of energy in eta", "mm", observables::of_layer<&LayerShape::center_eta>,
     true},
    {"layer_width_eta", "Width in eta", "mm", observables::of_layer<&LayerShape::width_eta>, true},
    {"layer_center_phi", "Centre of energy in phi", "mm", observables::of_layer<&LayerShape::center_phi>,
     true},
    {"layer_width_phi", "Width in phi", "mm", observables::of_layer<&LayerShape::width_phi>, true},
    {"layer_center_r", "Centre of energy in r", "mm", observables::of_layer<&LayerShape::center_r>},
    {"layer_width_r", "Width in r", "mm", observables::of_layer<&LayerShape::width_r>},
    {"layer_sparsity", "Share of cells without energy", "", observables::of_layer<&LayerShape::sparsity>},
};

static_assert(has_unique_names(kLayerObservables));

/// Index of an observable in kLayerObservables, by its name.
consteval std::size_t layer_observable_index(std::string_view name) {
  return index_of(kLayerObservables, name);
}

}  // namespace calo
