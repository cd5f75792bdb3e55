#pragma once

#include <cstdint>
#include <vector>

#include "calo/model/optimizer.h"
#include "calo/models/cascade/detail/fit.h"
#include "calo/preprocess/transform.h"

namespace calo::cascade {

/// All tensors of an untrained cascade (cascade_shapes), with the optimiser's moments for those that are
/// trained. The part of the loss is the index of the network; tables, spectra, biases and output layers are
/// those that an adaptation trains first. Hidden layers are random. Outputs do not depend on the features
/// yet: they give a density that is broad in ln(a/b) and has the peak of the hit spectrum.
std::vector<Parameter> initial_parameters(const ModelDescription& description, const Transform& transform,
                                          const Fit& fit, std::uint64_t seed);

}  // namespace calo::cascade
