#pragma once

#include <memory>
#include <span>
#include <string>
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

/// The same in single precision, eager, as a program that links LibTorch would run it: a peer to measure.
class TorchDecoder {
 public:
  /// @param threads that LibTorch uses for an operator, of this process from now on
  TorchDecoder(const ModelFolder& model, int threads);
  ~TorchDecoder();

  /// Cell energies in MeV, `[N, cells]`, computed and thrown away.
  void run(std::span<const float> latents, std::span<const float> conditions,
           std::span<const float> energies_mev) const;
  static std::string version();

 private:
  struct Layers;
  std::unique_ptr<Layers> layers_;
};

}  // namespace calo
