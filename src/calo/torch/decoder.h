#pragma once

#include <span>

namespace calo {

/// The decoder of a stored model by LibTorch in single precision, eager, as a program that links LibTorch
/// would run it: a peer to measure.
class TorchDecoder {
 public:
  TorchDecoder() = default;
  TorchDecoder(const TorchDecoder&) = delete;
  TorchDecoder& operator=(const TorchDecoder&) = delete;
  virtual ~TorchDecoder() = default;

  /// Cell energies in MeV, `[N, cells]`, computed and thrown away.
  virtual void run(std::span<const float> latents, std::span<const float> conditions,
                   std::span<const float> energies_mev) const = 0;
};

}  // namespace calo
