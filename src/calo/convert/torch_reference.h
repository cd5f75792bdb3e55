#pragma once

#include <span>
#include <vector>

#include "calo/model/model_folder.h"

namespace calo {

/// The decoder of a stored model by LibTorch, layer by layer as in training (normalisation with its running
/// statistics), in double precision: what a converted model is compared with.
/// @param latents     `[N, latent_dim]`
/// @param conditions  `[N, condition_dim]`, of Transform::encode
/// @returns cell energies over the incident energy, `[N, cells]`; what is not above zero is zero
std::vector<double> decode_by_torch(const ModelFolder& model, std::span<const float> latents,
                                    std::span<const float> conditions);

}  // namespace calo
