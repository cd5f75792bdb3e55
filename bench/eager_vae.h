#pragma once

#include <torch/torch.h>

#include <map>
#include <string>

#include "calo/model/model_folder.h"

namespace bench {

/// The peer: the same network in usual LibTorch style, with dense input, module calls and autograd.
class EagerVae {
 public:
  EagerVae(const calo::ModelDescription& description, const calo::Weights& weights)
      : description_(description) {
    for (const auto& [name, tensor] : weights) {
      const bool statistic = name.find("running_") != std::string::npos;
      tensors_[name] = torch::tensor(tensor.values).reshape(tensor.shape).set_requires_grad(!statistic);
      if (!statistic) trained.push_back(tensors_[name]);
    }
  }

  torch::Tensor loss(const torch::Tensor& cells, const torch::Tensor& conditions) {
    torch::Tensor x = torch::cat({cells, conditions}, 1);
    for (std::size_t i = 0; i < description_.intermediate_dims.size(); ++i)
      x = layer(x, "encoder." + std::to_string(i), true);
    const torch::Tensor mean = dense(x, "encoder.mean"), log_var = dense(x, "encoder.log_var");
    const torch::Tensor latent = mean + torch::exp(0.5 * log_var) * torch::randn_like(mean);
    const torch::Tensor out = decode(latent, conditions, true);
    const torch::Tensor kl = -0.5 * (1 + log_var - mean.square() - log_var.exp()).sum(1).mean();
    return static_cast<double>(cells.size(1)) * torch::binary_cross_entropy(out, cells) + kl;
  }

  torch::Tensor decode(const torch::Tensor& latent, const torch::Tensor& conditions, bool training) {
    torch::Tensor x = torch::cat({latent, conditions}, 1);
    for (std::size_t i = 0; i < description_.intermediate_dims.size(); ++i)
      x = layer(x, "decoder." + std::to_string(i), training);
    return torch::sigmoid(dense(x, "decoder.output"));
  }

  std::vector<torch::Tensor> trained;

 private:
  torch::Tensor dense(const torch::Tensor& x, const std::string& name) {
    return torch::linear(x, tensors_.at(name + ".weight"), tensors_.at(name + ".bias"));
  }
  torch::Tensor layer(const torch::Tensor& x, const std::string& name, bool training) {
    return torch::batch_norm(torch::leaky_relu(dense(x, name), description_.activation_slope),
                             tensors_.at(name + ".norm.weight"), tensors_.at(name + ".norm.bias"),
                             tensors_.at(name + ".norm.running_mean"),
                             tensors_.at(name + ".norm.running_var"), training,
                             1 - description_.batch_norm_momentum, description_.batch_norm_epsilon, false);
  }

  calo::ModelDescription description_;
  std::map<std::string, torch::Tensor> tensors_;
};

}  // namespace bench
