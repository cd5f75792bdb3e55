#pragma once

#include <optional>

#include "calo/validate/score_inputs.h"

namespace calo {

/// Separation powers of all conditions together, with the binnings of the CaloChallenge (code/evaluate.py,
/// code/evaluate_plotting_helper.py), of layered meshes those of its data set 1. Of a quantity of layers it
/// is the mean over the layers that have the quantity. There is none of fewer than two showers, or if no
/// layer has the quantity.
std::optional<Estimate> response_separation(const ScoreInputs& in);
std::optional<Estimate> layer_energy_separation(const ScoreInputs& in);

/// A centre, or a width, of each layer that is divided in alpha.
/// @param observable index in kLayerObservables
enum class Shape { kCentre, kWidth };
std::optional<Estimate> shape_separation(const ScoreInputs& in, std::size_t observable, Shape shape);

template <std::size_t Observable>
std::optional<Estimate> centre_separation(const ScoreInputs& in) {
  return shape_separation(in, Observable, Shape::kCentre);
}
template <std::size_t Observable>
std::optional<Estimate> width_separation(const ScoreInputs& in) {
  return shape_separation(in, Observable, Shape::kWidth);
}

/// What the report says of their bins.
inline constexpr const char* kCentreHelp = "Mean over layers, 100 bins from -30 to 30 mm.";
inline constexpr const char* kWidthHelp = "Mean over layers, 100 bins from 0 to 30 mm.";
inline constexpr const char* kCentreHelpOfLayeredMesh =
    "Mean over the layers divided in alpha, 100 bins from -100 to 100 mm, where a layer reaches beyond 1 m "
    "to "
    "500 mm.";
inline constexpr const char* kWidthHelpOfLayeredMesh =
    "Mean over the layers divided in alpha, 100 bins from 0 to 100 mm, where a layer reaches beyond 1 m to "
    "400 mm.";

}  // namespace calo
