#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "calo/generate/packed_layer.h"
#include "calo/model/model_folder.h"
#include "calo/shower/showers.h"
#include "core/thread_pool.h"

namespace calo {

/// The generator half of a stored model, on the CPU and without LibTorch. Normalisation is folded into the
/// layers; the output layer runs in blocks of cells that stay in cache, straight to the cells above a
/// threshold.
///
/// A shower depends on its own latent and conditions only, to the bit, whatever the number of showers or
/// threads (see PackedLayer).
class Decoder {
 public:
  /// @throws core::InputError where the model is of a kind that it does not know
  explicit Decoder(const ModelFolder& model);

  std::int64_t latent_dim() const { return latent_dim_; }

  /// Memory that decode() works in, kept from call to call: fresh pages would cost more than the arithmetic.
  class Workspace;
  /// Releases a workspace.
  struct Free {
    void operator()(Workspace* workspace) const;
  };
  static std::unique_ptr<Workspace, Free> make_workspace();

  /// @param latents     `[N, latent_dim]`
  /// @param conditions  one for each shower; geometry indexes `geometries`
  /// @param threshold_mev cells below are left out
  /// @param out         replaced; its memory is used again
  void decode(std::span<const float> latents, std::span<const Conditions> conditions,
              const std::vector<std::string>& geometries, double threshold_mev, core::ThreadPool& pool,
              Workspace& workspace, Showers& out) const;

 private:
  struct Hidden {
    PackedLayer layer;
    std::vector<float> scale, shift;  // of the normalisation, after the activation
  };
  struct Hits;

  enum class Activation { kLeakyRelu, kRelu, kElu, kSelu, kGelu, kTanh, kSigmoid };
  enum class OutActivation { kSigmoid, kRelu, kSoftplus, kLinear };

  float activate(float x) const;
  void hidden_layers(std::int64_t rows, std::vector<float>& current, std::vector<float>& next) const;
  float smallest_logit(double threshold_mev, double incident_energy_mev) const;
  void collect(float* z, std::size_t count, std::uint32_t first_cell, float smallest_logit,
               float incident_energy_mev, float threshold_mev, Hits& hits) const;

  Transform transform_;
  std::int64_t latent_dim_;
  std::int64_t cells_;
  Activation activation_;
  OutActivation out_activation_;
  float slope_;
  std::vector<Hidden> hidden_;
  PackedLayer output_;
};

}  // namespace calo
