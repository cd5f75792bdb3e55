#include <torch/torch.h>

#include <array>
#include <cmath>
#include <optional>

#include "calo/classify/network.h"
#include "calo/classify/torch_parameters.h"

namespace calo {
namespace {

constexpr std::int64_t kChannels = 16, kDeepChannels = 32, kHeadWidth = 64;
constexpr std::array<int, 3> kPatches = {6, 10, 9};  // in r, phi, z, at most
constexpr double kLearningRate = 1e-3;
constexpr double kNormMomentum = 0.1, kNormEpsilon = 1e-5;

// So many neighbours on both sides in phi, which closes on itself.
torch::Tensor wrap_phi(const torch::Tensor& x, std::int64_t before, std::int64_t after) {
  const std::int64_t n = x.size(3);
  std::vector<torch::Tensor> pieces;
  if (before > 0) pieces.push_back(x.narrow(3, n - before, before));
  pieces.push_back(x);
  if (after > 0) pieces.push_back(x.narrow(3, 0, after));
  return torch::cat(pieces, 3);
}

using Extents = std::array<std::int64_t, 3>;  // r, phi, z

// Convolution and batch normalisation. Zeros are beside the mesh in r and z; phi is wrapped before.
class NormedConvolution {
 public:
  NormedConvolution(TorchParameters& parameters, std::int64_t in, std::int64_t out, Extents kernel,
                    Extents stride, Extents padding)
      : stride_(stride),
        padding_(padding),
        weight_(parameters.add_uniform(
            {out, in, kernel[0], kernel[1], kernel[2]},
            std::sqrt(6.0 / static_cast<double>(in * kernel[0] * kernel[1] * kernel[2])))),  // He, for ReLU
        gain_(parameters.add_constant({out}, 1)),
        bias_(parameters.add_constant({out}, 0)),
        mean_(torch::zeros({out})),
        variance_(torch::ones({out})) {}

  torch::Tensor operator()(const torch::Tensor& x, bool training) const {
    return torch::batch_norm(torch::conv3d(x, weight_, {}, stride_, padding_), gain_, bias_, mean_, variance_,
                             training, kNormMomentum, kNormEpsilon, false);
  }

 private:
  Extents stride_, padding_;
  torch::Tensor weight_, gain_, bias_, mean_, variance_;
};

class ResidualBlock {
 public:
  ResidualBlock(TorchParameters& parameters, std::int64_t in, std::int64_t out, std::int64_t stride)
      : first_(parameters, in, out, {3, 3, 3}, {stride, stride, stride}, {1, 0, 1}),
        second_(parameters, out, out, {3, 3, 3}, {1, 1, 1}, {1, 0, 1}) {
    if (in != out || stride != 1)
      shortcut_.emplace(parameters, in, out, Extents{1, 1, 1}, Extents{stride, stride, stride},
                        Extents{0, 0, 0});
  }

  torch::Tensor operator()(const torch::Tensor& x, bool training) const {
    const torch::Tensor inner = torch::relu(first_(wrap_phi(x, 1, 1), training));
    return torch::relu(second_(wrap_phi(inner, 1, 1), training) +
                       (shortcut_ ? (*shortcut_)(x, training) : x));
  }

 private:
  NormedConvolution first_, second_;
  std::optional<NormedConvolution> shortcut_;
};

class Cnn : public ClassifierNetwork {
 public:
  Cnn(const VoxelMesh::Cylinder& cylinder, const NetworkOptions& options, core::ThreadPool& pool)
      : pool_(pool),
        threads_(pool.size()),
        extents_({cylinder.n_r, cylinder.n_phi, cylinder.n_z}),
        learning_rate_(options.learning_rate.value_or(kLearningRate)),
        optimizer_(ModelDescription{}),
        parameters_(options.seed) {
    Extents shape;  // behind the body
    for (std::size_t i = 0; i < 3; ++i) {
      patch_[i] = (extents_[i] + kPatches[i] - 1) / kPatches[i];
      shape[i] = ((extents_[i] + patch_[i] - 1) / patch_[i] + 1) / 2;
    }
    stem_.emplace(parameters_, 2, kChannels, patch_, patch_, Extents{0, 0, 0});
    blocks_.emplace_back(parameters_, kChannels, kChannels, 1);
    blocks_.emplace_back(parameters_, kChannels, kDeepChannels, 2);
    head_.emplace_back(parameters_, kDeepChannels * shape[0] * shape[2] + 1, kHeadWidth);
    head_.emplace_back(parameters_, kHeadWidth, 1);
  }

  double train(const SparseBatch& batch, std::span<const float> labels) override {
    optimizer_.begin_step(++step_, learning_rate_);
    const torch::Tensor target = torch::tensor(at::ArrayRef<float>(labels.data(), labels.size()));
    const torch::Tensor loss = torch::binary_cross_entropy_with_logits(forward(batch, true), target);
    loss.backward();
    parameters_.step(optimizer_);
    return static_cast<double>(loss.item<float>());
  }

  std::vector<double> logits(const SparseBatch& batch) override {
    const torch::NoGradGuard no_gradients;
    const torch::Tensor values = forward(batch, false).to(torch::kFloat64).contiguous();
    return {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()};
  }

 private:
  torch::Tensor forward(const SparseBatch& batch, bool training) const {
    const auto showers = static_cast<std::int64_t>(batch.size());
    const auto cells = static_cast<std::size_t>(extents_[0] * extents_[1] * extents_[2]);
    torch::Tensor image = torch::zeros({showers, 2, extents_[0], extents_[1], extents_[2]});
    torch::Tensor incident = torch::empty({showers, 1});
    pool_.for_each(batch.size(), [&](std::size_t shower) {
      float* energy = image.data_ptr<float>() + shower * 2 * cells;
      float* hit = energy + cells;
      const std::size_t last = batch.begin[shower + 1] - 1;
      for (std::size_t i = batch.begin[shower]; i < last; ++i) {
        energy[batch.column[i]] = batch.value[i];
        hit[batch.column[i]] = 1;
      }
      incident.data_ptr<float>()[shower] = batch.value[last];
    });
    const auto missing = [&](std::size_t i) { return (patch_[i] - extents_[i] % patch_[i]) % patch_[i]; };
    torch::Tensor x = torch::constant_pad_nd(image, {0, missing(2), 0, 0, 0, missing(0)});
    if (missing(1) > 0) x = wrap_phi(x, 0, missing(1));
    x = torch::relu((*stem_)(x, training));
    for (const ResidualBlock& block : blocks_) x = block(x, training);
    x = torch::cat({x.mean(3).flatten(1), incident}, 1);
    return head_[1](torch::relu(head_[0](x))).squeeze(1);
  }

  core::ThreadPool& pool_;
  TorchThreads threads_;
  Extents extents_, patch_{};
  double learning_rate_;
  std::int64_t step_ = 0;
  Optimizer optimizer_;
  TorchParameters parameters_;
  std::optional<NormedConvolution> stem_;
  std::vector<ResidualBlock> blocks_;
  std::vector<TorchLinear> head_;
};

}  // namespace

std::unique_ptr<ClassifierNetwork> make_cnn(const VoxelMesh::Cylinder& cylinder,
                                            const NetworkOptions& options, core::ThreadPool& pool) {
  return std::make_unique<Cnn>(cylinder, options, pool);
}

}  // namespace calo
