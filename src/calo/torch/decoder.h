#pragma once

#include <span>

namespace calo {

/// The decoder of a stored model in LibTorch, eager and in single precision, as in a program that links
/// LibTorch: a peer for measurements.
class TorchDecoder {
 public:
  TorchDecoder() = default;
  TorchDecoder(const TorchDecoder&) = delete;
  TorchDecoder& operator=(const TorchDecoder&) = delete;
  virtual ~TorchDecoder() = default;

  /// Computes cell energies in MeV, `[N, cells]`, and discards them.
  virtual void run(std::span<const float> latents, std::span<const float> conditions,
                   std::span<const float> energies_mev) const = 0;
};

}  // namespace calo
