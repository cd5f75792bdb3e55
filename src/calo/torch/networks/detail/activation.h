#pragma once

#include <torch/torch.h>

#include "calo/model/model_description.h"

namespace calo {

/// Activation of the hidden layers, with LibTorch.
inline torch::Tensor activate(const ModelDescription& description, const torch::Tensor& x) {
  const std::string& name = description.activation;
  if (name == "leaky_relu") return torch::leaky_relu(x, description.activation_slope);
  if (name == "relu") return torch::relu(x);
  if (name == "elu") return torch::elu(x, description.activation_slope);
  if (name == "selu") return torch::selu(x);
  if (name == "gelu") return torch::gelu(x);
  if (name == "tanh") return torch::tanh(x);
  return torch::sigmoid(x);
}

}  // namespace calo
