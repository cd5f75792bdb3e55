#include <fmt/format.h>
#include <torch/torch.h>

#include <map>

#include "calo/torch/networks/detail/activation.h"
#include "calo/torch/networks/detail/networks.h"

namespace calo {
namespace {

torch::Tensor rows(std::span<const float> values, std::int64_t columns, torch::ScalarType type) {
  return torch::from_blob(const_cast<float*>(values.data()),
                          {static_cast<std::int64_t>(values.size()) / columns, columns}, torch::kFloat32)
      .to(type);
}

// Tensors of the decoder in one precision. The model must outlive this object.
class Decoding {
 public:
  Decoding(const ModelFolder& model, torch::ScalarType type) : model_(model), type_(type) {
    for (const auto& [name, tensor] : model.weights)
      if (name.starts_with("decoder."))
        weights_[name] =
            torch::from_blob(const_cast<float*>(tensor.values.data()), tensor.shape, torch::kFloat32)
                .to(type);
  }

  torch::Tensor operator()(std::span<const float> latents, std::span<const float> conditions) const {
    const ModelDescription& description = model_.description;
    torch::Tensor x = torch::cat({rows(latents, description.latent_dim, type_),
                                  rows(conditions, model_.transform.condition_dim(), type_)},
                                 1);
    for (std::size_t i = 0; i < description.intermediate_dims.size(); ++i) {
      const std::string name = fmt::format("decoder.{}", i);
      x = activate(description, dense(x, name));
      if (description.batch_norm)
        x = torch::batch_norm(x, weight(name + ".norm.weight"), weight(name + ".norm.bias"),
                              weight(name + ".norm.running_mean"), weight(name + ".norm.running_var"), false,
                              1 - description.batch_norm_momentum, description.batch_norm_epsilon, false);
    }
    x = dense(x, "decoder.output");
    const std::string& out = description.out_activation;
    return out == "sigmoid" ? torch::sigmoid(x) : out == "softplus" ? torch::softplus(x) : torch::relu(x);
  }

 private:
  const torch::Tensor& weight(const std::string& name) const { return weights_.at(name); }
  torch::Tensor dense(const torch::Tensor& x, const std::string& name) const {
    return torch::linear(x, weight(name + ".weight"), weight(name + ".bias"));
  }

  const ModelFolder& model_;
  torch::ScalarType type_;
  std::map<std::string, torch::Tensor> weights_;
};

class Decoder : public TorchDecoder {
 public:
  explicit Decoder(const ModelFolder& model) : model_(model), decoding_(model_, torch::kFloat32) {}

  void run(std::span<const float> latents, std::span<const float> conditions,
           std::span<const float> energies_mev) const override {
    const torch::InferenceMode inference;
    decoding_(latents, conditions).mul_(rows(energies_mev, 1, torch::kFloat32));
  }

 private:
  ModelFolder model_;
  Decoding decoding_;
};

}  // namespace

std::vector<double> torch_decode(const ModelFolder& model, std::span<const float> latents,
                                 std::span<const float> conditions) {
  const torch::NoGradGuard no_gradients;
  const torch::Tensor x = Decoding(model, torch::kFloat64)(latents, conditions).contiguous();
  return {x.data_ptr<double>(), x.data_ptr<double>() + x.numel()};
}

std::unique_ptr<TorchDecoder> torch_decoder(const ModelFolder& model, int threads) {
  at::set_num_threads(threads);
  return std::make_unique<Decoder>(model);
}

}  // namespace calo
