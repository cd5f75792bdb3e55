#pragma once

#include <memory>
#include <span>
#include <vector>

#include "calo/classify/network.h"
#include "calo/torch/module.h"

namespace calo {

/// Implementations of TorchModule's functions, each in its own file.
std::unique_ptr<TrainableModel> torch_vae(const ModelDescription& description, const Transform& transform,
                                          std::uint64_t seed, std::span<const float> cell_means,
                                          core::ThreadPool& pool, TrainingDevice device,
                                          core::ProcessGroup& group);
std::unique_ptr<ClassifierNetwork> torch_mlp(const std::vector<bool>& used, const NetworkOptions& options,
                                             core::ThreadPool& pool);
std::unique_ptr<ClassifierNetwork> torch_cnn(const VoxelMesh::Cylinder& cylinder,
                                             const NetworkOptions& options, core::ThreadPool& pool);
std::vector<double> torch_decode(const ModelFolder& model, std::span<const float> latents,
                                 std::span<const float> conditions);
std::unique_ptr<TorchDecoder> torch_decoder(const ModelFolder& model, int threads);

}  // namespace calo
