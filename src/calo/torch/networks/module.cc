#include "calo/torch/module.h"

#include <torch/torch.h>

#include "calo/torch/networks/detail/networks.h"
#include "core/provenance.h"

namespace calo {
namespace {

class Module : public TorchModule {
 public:
  std::string calopipe_version() const override { return core::version(); }
  std::string torch_version() const override { return TORCH_VERSION; }
  bool has_cuda() const override { return torch::cuda::is_available(); }

  std::unique_ptr<TrainableModel> vae(const ModelDescription& description, const Transform& transform,
                                      std::uint64_t seed, std::span<const float> cell_means,
                                      core::ThreadPool& pool, TrainingDevice device,
                                      core::ProcessGroup& group) const override {
    return torch_vae(description, transform, seed, cell_means, pool, device, group);
  }
  std::unique_ptr<ClassifierNetwork> mlp(const std::vector<bool>& used, const NetworkOptions& options,
                                         core::ThreadPool& pool) const override {
    return torch_mlp(used, options, pool);
  }
  std::unique_ptr<ClassifierNetwork> cnn(const VoxelMesh::Cylinder& cylinder, const NetworkOptions& options,
                                         core::ThreadPool& pool) const override {
    return torch_cnn(cylinder, options, pool);
  }
  std::vector<double> decode(const ModelFolder& model, std::span<const float> latents,
                             std::span<const float> conditions) const override {
    return torch_decode(model, latents, conditions);
  }
  std::unique_ptr<TorchDecoder> decoder(const ModelFolder& model, int threads) const override {
    return torch_decoder(model, threads);
  }
};

}  // namespace
}  // namespace calo

extern "C" __attribute__((visibility("default"))) const calo::TorchModule* calopipe_torch_module() {
  static const calo::Module module;
  return &module;
}
