#include "calo/convert/torch_reference.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <map>

#include "calo/model/torch_activation.h"

namespace calo {
namespace {

torch::Tensor rows(std::span<const float> values, std::int64_t columns, torch::ScalarType type) {
  return torch::from_blob(const_cast<float*>(values.data()),
                          {static_cast<std::int64_t>(values.size()) / columns, columns}, torch::kFloat32)
      .to(type);
}

// The decoder's tensors in one precision. The model must outlive it.
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

}  // namespace

std::vector<double> decode_by_torch(const ModelFolder& model, std::span<const float> latents,
                                    std::span<const float> conditions) {
  const torch::NoGradGuard no_gradients;
  const torch::Tensor x = Decoding(model, torch::kFloat64)(latents, conditions).contiguous();
  return {x.data_ptr<double>(), x.data_ptr<double>() + x.numel()};
}

struct TorchDecoder::Layers {
  ModelFolder model;
  Decoding decoding;

  explicit Layers(const ModelFolder& from) : model(from), decoding(model, torch::kFloat32) {}
};

TorchDecoder::TorchDecoder(const ModelFolder& model, int threads) : layers_(std::make_unique<Layers>(model)) {
  at::set_num_threads(threads);
}
TorchDecoder::~TorchDecoder() = default;

void TorchDecoder::run(std::span<const float> latents, std::span<const float> conditions,
                       std::span<const float> energies_mev) const {
  const torch::InferenceMode inference;
  layers_->decoding(latents, conditions).mul_(rows(energies_mev, 1, torch::kFloat32));
}

std::string TorchDecoder::version() {
  return TORCH_VERSION;
}

}  // namespace calo
