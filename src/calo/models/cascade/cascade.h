#pragma once

#include "calo/model/architecture.h"

namespace calo::cascade {

/// The splitting cascade (doc/cascade.md), trained on the CPU by maximum likelihood: a product of exact
/// densities of splits, with hand-written gradients.
const Architecture& cascade_architecture();

/// A cascade in training.
///
/// Loss parts are −ln of the densities in nats per shower: `total` (of t, see Frame), `layers`, `rings`,
/// `phi` (all levels). The density of a split is that of ln(a/b), which does not depend on the unit of
/// energy.
///
/// @param training  the showers to learn from: they give threshold, spectra and the tree of layers
/// @throws core::InputError if the mesh or the showers are unsuitable
std::unique_ptr<TrainableModel> new_cascade(const ModelDescription& description, const Transform& transform,
                                            std::uint64_t seed, const Showers& showers,
                                            std::span<const std::uint32_t> training, core::ThreadPool& pool);

}  // namespace calo::cascade
