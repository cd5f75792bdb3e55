#include "calo/classify/network.h"

#include "calo/torch/module.h"

namespace calo {

std::unique_ptr<ClassifierNetwork> make_mlp(const std::vector<bool>& used, const NetworkOptions& options,
                                            core::ThreadPool& pool) {
  return torch_module().mlp(used, options, pool);
}

std::unique_ptr<ClassifierNetwork> make_cnn(const VoxelMesh::Cylinder& cylinder,
                                            const NetworkOptions& options, core::ThreadPool& pool) {
  return torch_module().cnn(cylinder, options, pool);
}

}  // namespace calo
