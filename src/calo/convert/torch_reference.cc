#include "calo/convert/torch_reference.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include "calo/model/torch_activation.h"

namespace calo {
namespace {

torch::Tensor rows(std::span<const float> values, std::int64_t columns) {
  return torch::from_blob(const_cast<float*>(values.data()),
                          {static_cast<std::int64_t>(values.size()) / columns, columns}, torch::kFloat32)
      .to(torch::kFloat64);
}

torch::Tensor weight(const ModelFolder& model, const std::string& name) {
  const WeightTensor& tensor = model.weights.at(name);
  return torch::from_blob(const_cast<float*>(tensor.values.data()), tensor.shape, torch::kFloat32)
      .to(torch::kFloat64);
}

torch::Tensor dense(const ModelFolder& model, const torch::Tensor& x, const std::string& name) {
  return torch::linear(x, weight(model, name + ".weight"), weight(model, name + ".bias"));
}

}  // namespace

std::vector<double> decode_by_torch(const ModelFolder& model, std::span<const float> latents,
                                    std::span<const float> conditions) {
  const torch::NoGradGuard no_gradients;
  const ModelDescription& description = model.description;
  torch::Tensor x = torch::cat(
      {rows(latents, description.latent_dim), rows(conditions, model.transform.condition_dim())}, 1);
  for (std::size_t i = 0; i < description.intermediate_dims.size(); ++i) {
    const std::string name = fmt::format("decoder.{}", i);
    x = activate(description, dense(model, x, name));
    if (description.batch_norm)
      x = torch::batch_norm(x, weight(model, name + ".norm.weight"), weight(model, name + ".norm.bias"),
                            weight(model, name + ".norm.running_mean"),
                            weight(model, name + ".norm.running_var"), false,
                            1 - description.batch_norm_momentum, description.batch_norm_epsilon, false);
  }
  x = dense(model, x, "decoder.output");
  const std::string& out = description.out_activation;
  x = out == "sigmoid" ? torch::sigmoid(x) : out == "softplus" ? torch::softplus(x) : torch::relu(x);
  x = x.contiguous();
  return {x.data_ptr<double>(), x.data_ptr<double>() + x.numel()};
}

}  // namespace calo
