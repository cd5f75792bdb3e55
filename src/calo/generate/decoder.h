#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "calo/model/model_folder.h"
#include "calo/shower/showers.h"
#include "core/thread_pool.h"

namespace calo {

/// The generator half of a stored model, on the CPU and without LibTorch. Normalisation is folded into the
/// layers; the output layer runs in blocks of cells that stay in cache, straight to the cells above a
/// threshold.
///
/// A shower depends on its own latent and conditions only, to the bit: work is cut into blocks of one fixed
/// shape, whatever the number of showers or threads. (The bits are those of one instruction set: AVX-512,
/// AVX2 or plain.)
class Decoder {
 public:
  /// @throws core::InputError where the model is of a kind that it does not know
  explicit Decoder(const ModelFolder& model);

  std::int64_t latent_dim() const { return latent_dim_; }

  /// @param latents     `[N, latent_dim]`
  /// @param conditions  one for each shower; geometry indexes `geometries`
  /// @param threshold_mev cells below are left out
  Showers decode(std::span<const float> latents, std::span<const Conditions> conditions,
                 const std::vector<std::string>& geometries, double threshold_mev,
                 core::ThreadPool& pool) const;

 private:
  struct Layer {
    std::int64_t in = 0, out = 0;
    std::vector<float> weight;  // [out, in]
    std::vector<float> bias;
    std::vector<float> scale, shift;  // of the normalisation, after the activation
  };

  void hidden(const float* input, std::vector<float>& current, std::vector<float>& next) const;
  float activate(float x) const;

  enum class Activation { kLeakyRelu, kRelu, kElu, kSelu, kGelu, kTanh, kSigmoid };

  Transform transform_;
  std::int64_t latent_dim_;
  std::int64_t cells_;
  Activation activation_;
  float slope_;
  std::vector<Layer> layers_;
  std::int64_t width_ = 0;            // of the last hidden layer
  std::vector<float> output_weight_;  // [cells padded to whole blocks, width]
  std::vector<float> output_bias_;
};

}  // namespace calo
