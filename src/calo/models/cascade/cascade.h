#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "calo/model/trainable_model.h"
#include "calo/preprocess/transform.h"
#include "core/thread_pool.h"

namespace calo::cascade {

/// The splitting cascade in training (doc/cascade.md), on the CPU: a product of exact densities of splits,
/// trained by maximum likelihood with gradients of our own.
///
/// Loss parts are −ln of the densities in nats a shower: `total` (of t, see Frame), `layers`, `rings`, `phi`
/// (all levels). A split's density is of ln(a/b), whatever the units of energy.
///
/// @param training  the showers to learn from: threshold, spectra and the tree of layers are taken from them
/// @throws core::InputError where the mesh or the showers do not fit
std::unique_ptr<TrainableModel> new_cascade(const ModelDescription& description, const Transform& transform,
                                            std::uint64_t seed, const Showers& showers,
                                            std::span<const std::uint32_t> training, core::ThreadPool& pool);

}  // namespace calo::cascade
