#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>

#include "calo/torch/networks/detail/networks.h"
#include "calo/torch/networks/detail/parameters.h"

namespace calo {
namespace {

constexpr std::int64_t kInputs = 3, kBeside = 2, kChannels = 16, kDeepChannels = 32, kHeadWidth = 64;
constexpr std::array<int, 3> kPatches = {6, 10, 9};  // maximum in r, phi, z
constexpr std::int64_t kGroups = 4;
constexpr double kCnnLearningRate = 1e-3;
// Number of showers that a thread processes together. It is fixed, so that sums and results do not depend on
// the number of threads.
constexpr std::size_t kPiece = 16;

// Pads phi, which is periodic, with `before` and `after` neighbours from the other end.
torch::Tensor wrap_phi(const torch::Tensor& x, std::int64_t before, std::int64_t after) {
  const std::int64_t n = x.size(3);
  std::vector<torch::Tensor> pieces;
  if (before > 0) pieces.push_back(x.narrow(3, n - before, before));
  pieces.push_back(x);
  if (after > 0) pieces.push_back(x.narrow(3, 0, after));
  return torch::cat(pieces, 3);
}

using Extents = std::array<std::int64_t, 3>;  // r, phi, z

// Pads r and z with zeros; phi is padded before.
struct Convolution {
  Convolution(TorchParameters& parameters, std::int64_t in, std::int64_t out, Extents kernel,
              Extents stride_in, Extents padding_in)
      : stride(stride_in),
        padding(padding_in),
        weight(parameters.add_uniform(
            {out, in, kernel[0], kernel[1], kernel[2]},
            std::sqrt(6.0 / static_cast<double>(in * kernel[0] * kernel[1] * kernel[2])))),  // He, for ReLU
        bias(parameters.add_constant({out}, 0)) {}

  torch::Tensor operator()(const torch::Tensor& x) const {
    return torch::conv3d(x, weight, bias, stride, padding);
  }

  Extents stride, padding;
  torch::Tensor weight, bias;
};

// Group normalisation (arXiv:1803.08494), which unlike batch normalisation uses one shower only.
struct Normalisation {
  Normalisation(TorchParameters& parameters, std::int64_t channels)
      : weight(parameters.add_constant({channels}, 1)), bias(parameters.add_constant({channels}, 0)) {}

  torch::Tensor operator()(const torch::Tensor& x) const {
    return torch::group_norm(x, kGroups, weight, bias);
  }

  torch::Tensor weight, bias;
};

// Only the branch is normalised: the shortcut keeps the scale of the energies.
struct ResidualBlock {
  ResidualBlock(TorchParameters& parameters, std::int64_t in, std::int64_t out, std::int64_t stride)
      : first_norm(parameters, in),
        first(parameters, in, out, {3, 3, 3}, {stride, stride, stride}, {1, 0, 1}),
        second_norm(parameters, out),
        second(parameters, out, out, {3, 3, 3}, {1, 1, 1}, {1, 0, 1}) {
    if (in != out || stride != 1)
      shortcut.emplace(parameters, in, out, Extents{1, 1, 1}, Extents{stride, stride, stride},
                       Extents{0, 0, 0});
  }

  torch::Tensor operator()(const torch::Tensor& x) const {
    const torch::Tensor inner = first(wrap_phi(torch::relu(first_norm(x)), 1, 1));
    return second(wrap_phi(torch::relu(second_norm(inner)), 1, 1)) + (shortcut ? (*shortcut)(x) : x);
  }

  Normalisation first_norm;
  Convolution first;
  Normalisation second_norm;
  Convolution second;
  std::optional<Convolution> shortcut;
};

struct Layers {
  Layers(TorchParameters& parameters, const Extents& extents) {
    Extents shape;  // after the body
    for (std::size_t i = 0; i < 3; ++i) {
      patch[i] = (extents[i] + kPatches[i] - 1) / kPatches[i];
      shape[i] = ((extents[i] + patch[i] - 1) / patch[i] + 1) / 2;
    }
    stem.emplace_back(parameters, kInputs, kChannels, patch, patch, Extents{0, 0, 0});
    blocks.emplace_back(parameters, kChannels, kChannels, 1);
    blocks.emplace_back(parameters, kChannels, kDeepChannels, 2);
    head.emplace_back(parameters, kDeepChannels * shape[0] * shape[2] + kBeside, kHeadWidth);
    head.emplace_back(parameters, kHeadWidth, 1);
  }

  // Same weights in the same memory, with separate gradients.
  Layers replica() const {
    Layers copy = *this;
    for (torch::Tensor* tensor : copy.tensors()) *tensor = tensor->detach().requires_grad_(true);
    return copy;
  }

  std::vector<torch::Tensor*> tensors() {
    std::vector<torch::Tensor*> all;
    const auto add = [&](auto& layer) {
      all.push_back(&layer.weight);
      all.push_back(&layer.bias);
    };
    add(stem.front());
    for (ResidualBlock& block : blocks) {
      add(block.first_norm);
      add(block.first);
      add(block.second_norm);
      add(block.second);
      if (block.shortcut) add(*block.shortcut);
    }
    for (TorchLinear& layer : head) add(layer);
    return all;
  }

  // @param image [showers, kInputs, r, phi, z]
  // @param beside [showers, kBeside]
  torch::Tensor logits(const torch::Tensor& image, const torch::Tensor& beside) const {
    const auto missing = [&](std::size_t i) {
      const std::int64_t extent = image.size(static_cast<std::int64_t>(i) + 2);
      return (patch[i] - extent % patch[i]) % patch[i];
    };
    torch::Tensor x = image;
    if (missing(0) > 0 || missing(2) > 0) x = torch::constant_pad_nd(x, {0, missing(2), 0, 0, 0, missing(0)});
    if (missing(1) > 0) x = wrap_phi(x, 0, missing(1));
    x = stem.front()(x);
    for (const ResidualBlock& block : blocks) x = block(x);
    x = torch::cat({torch::relu(x).mean(3).flatten(1), beside}, 1);
    return head[1](torch::relu(head[0](x))).squeeze(1);
  }

  Extents patch{};
  std::vector<Convolution> stem;
  std::vector<ResidualBlock> blocks;
  std::vector<TorchLinear> head;
};

class Cnn : public ClassifierNetwork {
 public:
  Cnn(const VoxelMesh::Cylinder& cylinder, const NetworkOptions& options, core::ThreadPool& pool)
      : pool_(pool),
        extents_({cylinder.n_r, cylinder.n_phi, cylinder.n_z}),
        learning_rate_(options.learning_rate.value_or(kCnnLearningRate)),
        optimizer_(ModelDescription{}),
        parameters_(options.seed),
        layers_(parameters_, extents_) {}

  double train(const SparseBatch& batch, std::span<const float> labels) override {
    const std::size_t pieces = (batch.size() + kPiece - 1) / kPiece;
    while (replicas_.size() < pieces) replicas_.push_back(layers_.replica());
    std::vector<double> losses(pieces);
    in_pieces(batch, [&](std::size_t piece, const torch::Tensor& image, const torch::Tensor& beside) {
      const std::span<const float> own =
          labels.subspan(piece * kPiece, static_cast<std::size_t>(image.size(0)));
      const torch::Tensor target = torch::tensor(at::ArrayRef<float>(own.data(), own.size()));
      const torch::Tensor loss =
          torch::binary_cross_entropy_with_logits(replicas_[piece].logits(image, beside), target, {}, {},
                                                  at::Reduction::Sum) /
          static_cast<double>(labels.size());
      loss.backward();
      losses[piece] = static_cast<double>(loss.item<float>());
    });
    const torch::NoGradGuard no_gradients;
    const std::vector<torch::Tensor*> sums = layers_.tensors();
    for (std::size_t piece = 0; piece < pieces; ++piece) {
      const std::vector<torch::Tensor*> parts = replicas_[piece].tensors();
      for (std::size_t i = 0; i < sums.size(); ++i) {
        torch::Tensor& sum = sums[i]->mutable_grad();
        if (sum.defined())
          sum.add_(parts[i]->grad());
        else
          sum = parts[i]->grad().clone();
        parts[i]->mutable_grad().reset();
      }
    }
    optimizer_.begin_step(++step_, learning_rate_);
    parameters_.step(optimizer_);
    return std::accumulate(losses.begin(), losses.end(), 0.0);
  }

  std::vector<double> logits(const SparseBatch& batch) override {
    std::vector<double> result(batch.size());
    in_pieces(batch, [&](std::size_t piece, const torch::Tensor& image, const torch::Tensor& beside) {
      const torch::NoGradGuard no_gradients;
      const torch::Tensor values = layers_.logits(image, beside).contiguous();
      std::copy_n(values.data_ptr<float>(), values.numel(),
                  result.begin() + static_cast<std::ptrdiff_t>(piece * kPiece));
    });
    return result;
  }

 private:
  // Calls body(piece, image, beside) for each kPiece showers, on the pool's threads.
  template <class Body>
  void in_pieces(const SparseBatch& batch, const Body& body) {
    const auto cells = static_cast<std::size_t>(extents_[0] * extents_[1] * extents_[2]);
    pool_.for_each((batch.size() + kPiece - 1) / kPiece, [&](std::size_t piece) {
      const OneTorchThread one_thread;
      const std::size_t begin = piece * kPiece, end = std::min(batch.size(), begin + kPiece);
      const auto showers = static_cast<std::int64_t>(end - begin);
      const torch::Tensor image = torch::zeros({showers, kInputs, extents_[0], extents_[1], extents_[2]});
      const torch::Tensor beside = torch::empty({showers, kBeside});
      for (std::size_t shower = begin; shower < end; ++shower) {
        float* share = image.data_ptr<float>() + (shower - begin) * kInputs * cells;
        float *root = share + cells, *hit = root + cells;
        const std::size_t last = batch.begin[shower + 1] - kBeside;
        for (std::size_t i = batch.begin[shower]; i < last; ++i) {
          share[batch.column[i]] = batch.value[i];
          root[batch.column[i]] = std::sqrt(batch.value[i]);
          hit[batch.column[i]] = 1;
        }
        std::copy_n(batch.value.data() + last, kBeside,
                    beside.data_ptr<float>() + (shower - begin) * kBeside);
      }
      body(piece, image, beside);
    });
  }

  core::ThreadPool& pool_;
  Extents extents_;
  double learning_rate_;
  std::int64_t step_ = 0;
  Optimizer optimizer_;
  TorchParameters parameters_;
  Layers layers_;
  std::vector<Layers> replicas_;  // one for each piece of a batch
};

}  // namespace

std::unique_ptr<ClassifierNetwork> torch_cnn(const VoxelMesh::Cylinder& cylinder,
                                             const NetworkOptions& options, core::ThreadPool& pool) {
  return std::make_unique<Cnn>(cylinder, options, pool);
}

}  // namespace calo
