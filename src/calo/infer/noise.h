#pragma once

#include "calo/infer/model.h"
#include "core/philox.h"

namespace calo::infer {

/// The stream of latent noise; `calopipe generate` draws shower i from (seed, i) of the same.
constexpr std::uint32_t kLatentStream = 0x6c617465;

/// The random numbers of one particle. The first particle of event i has those of shower i of
/// `calopipe generate` with the same seed.
inline core::Philox noise_of(const NoiseKey& key) {
  return {key.seed, key.event, kLatentStream + key.particle};
}

}  // namespace calo::infer
