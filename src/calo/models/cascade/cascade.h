#pragma once

#include "calo/model/architecture.h"

namespace calo::cascade {

/// The splitting cascade (doc/cascade.md), trained on the CPU by maximum likelihood: a product of exact
/// densities of splits, with hand-written gradients.
const Architecture& cascade_architecture();

/// A cascade in training.
///
/// Loss parts are −ln of the densities in nats per shower, one for each network: `total` (of t, see Frame),
/// `layers`, `rings`, `phi0`, `phi1` … They are independent: each has its own tensors. The density of a split
/// is that of ln(a/b), which does not depend on the unit of energy.
///
/// @param training  the showers to learn from: they give threshold, spectra and the tree of layers
/// Several processes divide the showers of a batch, and add their gradients.
/// @throws core::InputError if the mesh or the showers are unsuitable
std::unique_ptr<TrainableModel> new_cascade(const ModelDescription& description, const Transform& transform,
                                            std::uint64_t seed, const Showers& showers,
                                            std::span<const std::uint32_t> training, core::ThreadPool& pool,
                                            core::ProcessGroup& group);

/// Architecture::starting_weights() of a cascade. The mesh must have the same numbers of cells, and the
/// networks the same width and depth; geometries may differ. The weights for a geometry that `from` was
/// trained on are its own; a new geometry starts with the mean over those. Without `threshold_mev` and
/// `response`, which are fitted to the new showers.
/// @throws core::InputError with the field of `from` that does not fit
Weights cascade_starting_weights(const ModelFolder& from, const ModelDescription& description,
                                 const Transform& transform);

}  // namespace calo::cascade
