#pragma once

#include "calo/model/architecture.h"

namespace calo::cascade {

/// The splitting cascade (doc/cascade.md), trained on the CPU: a product of exact densities of splits, by
/// maximum likelihood with gradients of our own.
const Architecture& cascade_architecture();

/// A cascade in training.
///
/// Loss parts are −ln of the densities in nats a shower: `total` (of t, see Frame), `layers`, `rings`, `phi`
/// (all levels). A split's density is of ln(a/b), whatever the units of energy.
///
/// @param training  the showers to learn from: threshold, spectra and the tree of layers are taken from them
/// @throws core::InputError if the mesh or the showers do not fit
std::unique_ptr<TrainableModel> new_cascade(const ModelDescription& description, const Transform& transform,
                                            std::uint64_t seed, const Showers& showers,
                                            std::span<const std::uint32_t> training, core::ThreadPool& pool);

}  // namespace calo::cascade
