#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "calo/infer/dense_layer.h"
#include "calo/infer/output_layer.h"
#include "calo/model/model_folder.h"
#include "calo/shower/showers.h"
#include "core/thread_pool.h"

namespace calo {

/// The generator half of a stored model, on the CPU and without LibTorch: the layers of the inference engine
/// (calo/infer), filled from a model folder. Normalisation is folded into the layers; the output layer runs
/// straight to the cells above a threshold.
///
/// A shower depends on its own latent and conditions only, to the bit, whatever the number of showers or
/// threads (see infer::PackedLayer).
class Decoder {
 public:
  /// @throws core::InputError if the model is of a kind that it does not know
  explicit Decoder(const ModelFolder& model, infer::Precision precision = infer::Precision::kFp32);

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
  /// @param threshold_mev cells below are left out; those that are not finite are kept, for the caller to
  /// refuse
  /// @param out         replaced; its memory is used again
  void decode(std::span<const float> latents, std::span<const Conditions> conditions,
              const std::vector<std::string>& geometries, double threshold_mev, core::ThreadPool& pool,
              Workspace& workspace, Showers& out) const;

 private:
  Transform transform_;
  std::int64_t latent_dim_;
  std::int64_t cells_;
  std::vector<infer::DenseLayer> hidden_;
  infer::OutputLayer output_;
};

/// Makes `out` of what the engine found, with its memory used again.
void replace(Showers& out, std::int64_t cells, std::span<const Conditions> conditions,
             const std::vector<std::string>& geometries, const infer::SparseShowers& found);

}  // namespace calo
