#include "calo/model/vae.h"

#include <dnnl.h>
#include <fmt/format.h>
#include <omp.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "calo/model/output_loss.h"
#include "calo/model/torch_activation.h"
#include "calo/model/torch_optimizer.h"
#include "core/error.h"
#include "core/philox.h"
#include "core/simd.h"

namespace calo {
namespace {

constexpr std::uint32_t kInitStream = 0x696e6974;
constexpr std::uint32_t kNoiseStream = 0x6e6f6973;
constexpr std::uint32_t kTurnStream = 0x7475726e;
constexpr std::uint32_t kEvaluationStream = 0x6576616c;
constexpr std::int64_t kBlockCells = 256;  // of the output layer: block, gradient and weights stay in L2

double initial_deviation(const std::string& initializer, double in, double out) {
  if (initializer == "random_normal") return 0.05;
  if (initializer == "glorot_normal" || initializer == "glorot_uniform") return std::sqrt(2.0 / (in + out));
  if (initializer == "he_normal" || initializer == "he_uniform") return std::sqrt(2.0 / in);
  return 0;
}

// Keras' initialisers; its normal Glorot and He are truncated at two deviations, here too.
void initialize(Parameter& parameter, const std::string& initializer, double in, double out,
                std::uint64_t seed, std::uint64_t index) {
  const double deviation = initial_deviation(initializer, in, out);
  if (deviation == 0) return;
  core::Philox random(seed, index, kInitStream);
  const bool uniform = initializer.ends_with("uniform");
  const bool truncated = initializer.ends_with("_normal") && initializer != "random_normal";
  constexpr double kTruncatedDeviation = 0.87962566103423978;  // of a normal cut at 2
  for (float& value : parameter.values) {
    double x;
    if (uniform) {
      x = (2.0 * static_cast<double>(random.uniform()) - 1) * std::sqrt(3.0);
    } else {
      do {
        x = random.normal();
      } while (truncated && std::abs(x) > 2);
      if (truncated) x /= kTruncatedDeviation;
    }
    value = static_cast<float>(x * deviation);
  }
}

CALOPIPE_SIMD_CLONES void add_scaled(float* __restrict out, const float* __restrict row, float factor,
                                     std::size_t count) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) out[i] += factor * row[i];
}

// Sparse view of a batch by cell: which showers hit it, and how much.
struct HitsByCell {
  std::vector<std::uint32_t> begin;  // cells + 1
  std::vector<std::uint32_t> shower;
  std::vector<float> value;
};

}  // namespace

struct Vae::Impl {
  Impl(const ModelDescription& description_in, const Transform& transform_in, std::uint64_t seed_in,
       std::span<const float> cell_means, core::ThreadPool& pool_in, TrainingDevice device_in)
      : description(description_in),
        transform(transform_in),
        seed(seed_in),
        pool(pool_in),
        by_torch(device_in != TrainingDevice::kCpu),
        device(device_in == TrainingDevice::kCuda ? torch::kCUDA : torch::kCPU),
        cells(transform.mesh.num_cells()),
        condition_dim(transform.condition_dim()),
        input_dim(cells + condition_dim),
        hidden_first(description.intermediate_dims.front()),
        hidden_last(description.intermediate_dims.front()),
        output(output_of(description.out_activation)) {
    at::set_num_threads(by_torch ? pool.size() : 1);
    if (description.rotate_phi && !transform.mesh.is_cylinder())
      throw core::UsageError(
          {.message = "needs a regular mesh, whose layers can be turned", .field = "rotate_phi"});
    const std::vector<std::int64_t>& dims = description.intermediate_dims;
    // The first layer is stored [in, out], so that a hit reads one contiguous row.
    add_dense("encoder.0", input_dim, dims[0], {input_dim, dims[0]});
    add_norm("encoder.0", dims[0]);
    for (std::size_t i = 1; i < dims.size(); ++i) {
      add_dense(fmt::format("encoder.{}", i), dims[i - 1], dims[i], {dims[i], dims[i - 1]});
      add_norm(fmt::format("encoder.{}", i), dims[i]);
    }
    for (const char* head : {"encoder.mean", "encoder.log_var"})
      add_dense(head, dims.back(), description.latent_dim, {description.latent_dim, dims.back()});
    std::int64_t previous = description.latent_dim + condition_dim;
    for (std::size_t i = 0; i < dims.size(); ++i) {
      const std::int64_t size = dims[dims.size() - 1 - i];
      add_dense(fmt::format("decoder.{}", i), previous, size, {size, previous});
      add_norm(fmt::format("decoder.{}", i), size);
      previous = size;
    }
    add_dense("decoder.output", previous, cells, {cells, previous});
    if (description.output_bias == "data_mean") {
      constexpr float kSmallest = 1e-10f;  // cells that no training shower hits: far below any threshold
      std::vector<float>& bias = at_name("decoder.output.bias").values;
      for (std::size_t i = 0; i < bias.size(); ++i) {
        const float mean = std::clamp(cell_means[i], kSmallest, 1 - kSmallest);
        bias[i] = output == Output::kSigmoid    ? std::log(mean / (1 - mean))
                  : output == Output::kSoftplus ? std::log(std::expm1(mean))
                                                : mean;
      }
    }
    upload();
  }

  static torch::Tensor view(std::vector<float>& values, const std::vector<std::int64_t>& shape) {
    return torch::from_blob(values.data(), shape, torch::kFloat32);
  }

  // Makes LibTorch's tensors of the parameters: the same memory for the fused step, else copies on the
  // device.
  void upload() {
    for (Parameter& parameter : parameters) {
      torch::Tensor tensor = view(parameter.values, parameter.shape);
      if (by_torch) tensor = tensor.to(device, torch::kFloat32, false, true);
      if (by_torch ? !is_statistic(parameter.name) : trained_by_autograd(parameter.name))
        tensor.requires_grad_(true);
      tensors[parameter.name] = tensor;
      if (by_torch && !is_statistic(parameter.name))
        moments[parameter.name] = {
            .first = view(parameter.first, parameter.shape).to(device, torch::kFloat32, false, true),
            .second = view(parameter.second, parameter.shape).to(device, torch::kFloat32, false, true)};
    }
  }

  void download() {
    if (!by_torch) return;
    const torch::NoGradGuard no_gradients;
    for (Parameter& parameter : parameters) {
      view(parameter.values, parameter.shape).copy_(tensors[parameter.name]);
      if (is_statistic(parameter.name)) continue;
      view(parameter.first, parameter.shape).copy_(moments[parameter.name].first);
      view(parameter.second, parameter.shape).copy_(moments[parameter.name].second);
    }
  }

  static bool is_statistic(const std::string& name) { return name.find(".running_") != std::string::npos; }
  static bool trained_by_autograd(const std::string& name) {
    return !is_statistic(name) && name != "encoder.0.weight" && name != "encoder.0.bias" &&
           !name.starts_with("decoder.output.");
  }

  Parameter& add(const std::string& name, std::vector<std::int64_t> shape, float fill) {
    std::size_t count = 1;
    for (const std::int64_t extent : shape) count *= static_cast<std::size_t>(extent);
    index[name] = parameters.size();
    Parameter parameter{.name = name, .shape = std::move(shape), .values = std::vector<float>(count, fill)};
    if (!is_statistic(name)) {
      parameter.first.assign(count, 0.0f);
      parameter.second.assign(count, 0.0f);
    }
    parameters.push_back(std::move(parameter));
    return parameters.back();
  }

  void add_dense(const std::string& name, std::int64_t in, std::int64_t out,
                 std::vector<std::int64_t> shape) {
    const auto fan_in = static_cast<double>(in), fan_out = static_cast<double>(out);
    initialize(add(name + ".weight", std::move(shape), 0), description.kernel_initializer, fan_in, fan_out,
               seed, parameters.size());
    // Keras takes the length of a vector for both fans.
    initialize(add(name + ".bias", {out}, 0), description.bias_initializer, fan_out, fan_out, seed,
               parameters.size());
  }

  void add_norm(const std::string& name, std::int64_t size) {
    if (!description.batch_norm) return;
    add(name + ".norm.weight", {size}, 1);
    add(name + ".norm.bias", {size}, 0);
    add(name + ".norm.running_mean", {size}, 0);
    add(name + ".norm.running_var", {size}, 1);
  }

  Parameter& at_name(const std::string& name) { return parameters[index.at(name)]; }

  torch::Tensor activate_and_normalize(const torch::Tensor& x, const std::string& name, bool training) {
    const torch::Tensor active = activate(description, x);
    if (!description.batch_norm) return active;
    return torch::batch_norm(active, tensors[name + ".norm.weight"], tensors[name + ".norm.bias"],
                             tensors[name + ".norm.running_mean"], tensors[name + ".norm.running_var"],
                             training, 1 - description.batch_norm_momentum, description.batch_norm_epsilon,
                             false);
  }

  torch::Tensor dense(const torch::Tensor& x, const std::string& name) {
    return torch::linear(x, tensors[name + ".weight"], tensors[name + ".bias"]);
  }

  struct Middle {
    torch::Tensor hidden;  // decoder's last hidden layer, [B, hidden_last]
    torch::Tensor kl;      // weighted, mean over the batch
  };

  Middle middle(const torch::Tensor& first, const torch::Tensor& condition_rows, const torch::Tensor& noise,
                bool training) {
    torch::Tensor x = activate_and_normalize(first, "encoder.0", training);
    const std::size_t layers = description.intermediate_dims.size();
    for (std::size_t i = 1; i < layers; ++i) {
      const std::string name = fmt::format("encoder.{}", i);
      x = activate_and_normalize(dense(x, name), name, training);
    }
    const torch::Tensor mean = dense(x, "encoder.mean");
    const torch::Tensor log_var = dense(x, "encoder.log_var");
    x = torch::cat({mean + torch::exp(0.5 * log_var) * noise, condition_rows}, 1);
    for (std::size_t i = 0; i < layers; ++i) {
      const std::string name = fmt::format("decoder.{}", i);
      x = activate_and_normalize(dense(x, name), name, training);
    }
    const torch::Tensor kl = -0.5 * (1 + log_var - mean * mean - torch::exp(log_var)).sum(1).mean();
    return {.hidden = x.contiguous(), .kl = kl * description.w_kl};
  }

  // Runs body(begin, end, worker) over [0, count) cut into as many even pieces as there are threads.
  template <class Body>
  void in_pieces(std::int64_t count, std::int64_t multiple, const Body& body) {
    const std::int64_t workers = pool.size();
    const std::int64_t blocks = (count + multiple - 1) / multiple;
    pool.for_each(static_cast<std::size_t>(workers), [&](std::size_t worker) {
      omp_set_num_threads(1);
      const auto w = static_cast<std::int64_t>(worker);
      const std::int64_t begin = std::min(count, blocks * w / workers * multiple);
      const std::int64_t end = std::min(count, blocks * (w + 1) / workers * multiple);
      if (begin < end) body(begin, end, worker);
    });
  }

  // Copies the batch's hits, each shower turned around its axis by `turns` cells, and sorts them by cell too.
  void gather(const Showers& showers, std::span<const std::uint32_t> batch, const std::vector<int>& turns) {
    const std::size_t size = batch.size();
    hit_begin.assign(1, 0);
    hit_cell.clear();
    hit_value.clear();
    for (std::size_t b = 0; b < size; ++b) {
      const float inverse = 1.0f / showers.conditions[batch[b]].incident_energy_mev;
      for (const std::uint32_t cell : showers.cells_of(batch[b])) hit_cell.push_back(turned(cell, turns[b]));
      for (const float energy : showers.energies_of(batch[b])) hit_value.push_back(energy * inverse);
      hit_begin.push_back(hit_cell.size());
    }
    conditions.resize(size * static_cast<std::size_t>(condition_dim));
    for (std::size_t b = 0; b < size; ++b) {
      const Conditions& condition = showers.conditions[batch[b]];
      transform.encode(condition, showers.geometries[condition.geometry],
                       {conditions.data() + b * static_cast<std::size_t>(condition_dim),
                        static_cast<std::size_t>(condition_dim)});
    }
    // Counting sort of the batch's hits by cell.
    by_cell.begin.assign(static_cast<std::size_t>(cells) + 1, 0);
    for (const std::uint32_t cell : hit_cell) ++by_cell.begin[cell + 1];
    for (std::size_t cell = 0; cell < static_cast<std::size_t>(cells); ++cell)
      by_cell.begin[cell + 1] += by_cell.begin[cell];
    by_cell.shower.resize(hit_cell.size());
    by_cell.value.resize(hit_cell.size());
    std::vector<std::uint32_t> next(by_cell.begin.begin(), by_cell.begin.end() - 1);
    for (std::size_t b = 0; b < size; ++b)
      for (std::size_t hit = hit_begin[b]; hit < hit_begin[b + 1]; ++hit) {
        const std::uint32_t place = next[hit_cell[hit]]++;
        by_cell.shower[place] = static_cast<std::uint32_t>(b);
        by_cell.value[place] = hit_value[hit];
      }
  }

  std::uint32_t turned(std::uint32_t cell, int turn) const {
    if (turn == 0) return cell;
    const CellPosition position = transform.mesh.position(cell);
    return transform.mesh.cell(position.layer, (position.phi + turn) % transform.mesh.layer(0).n_phi,
                               position.r);
  }

  std::vector<int> turns_for(std::span<const std::uint32_t> batch, std::uint64_t epoch) const {
    std::vector<int> turns;
    for (const std::uint32_t shower : batch) {
      core::Philox random(seed, epoch << 32 | shower, kTurnStream);
      const auto steps = static_cast<std::uint32_t>(transform.mesh.layer(0).n_phi);
      turns.push_back(description.rotate_phi ? static_cast<int>(random.below(steps)) : 0);
    }
    return turns;
  }

  torch::Tensor first_layer(std::size_t size) {
    const auto width = static_cast<std::size_t>(hidden_first);
    torch::Tensor out = torch::empty({static_cast<std::int64_t>(size), hidden_first});
    float* rows = out.data_ptr<float>();
    const Parameter& weight = at_name("encoder.0.weight");
    const Parameter& bias = at_name("encoder.0.bias");
    pool.for_each(size, [&](std::size_t b) {
      float* row = rows + b * width;
      std::memcpy(row, bias.values.data(), width * sizeof(float));
      for (std::size_t hit = hit_begin[b]; hit < hit_begin[b + 1]; ++hit)
        add_scaled(row, weight.values.data() + hit_cell[hit] * width, hit_value[hit], width);
      for (std::int64_t c = 0; c < condition_dim; ++c)
        add_scaled(row, weight.values.data() + static_cast<std::size_t>(cells + c) * width,
                   conditions[b * static_cast<std::size_t>(condition_dim) + static_cast<std::size_t>(c)],
                   width);
    });
    return out;
  }

  // Gradient of the first layer, row by row of its weights, with the optimiser's update of that row at once.
  void first_layer_update(const float* gradient, std::size_t size, const Optimizer& optimizer) {
    const auto width = static_cast<std::size_t>(hidden_first);
    Parameter& weight = at_name("encoder.0.weight");
    in_pieces(input_dim, 1, [&](std::int64_t begin, std::int64_t end, std::size_t) {
      std::vector<float> row(width);
      for (std::int64_t input = begin; input < end; ++input) {
        std::fill(row.begin(), row.end(), 0.0f);
        const auto in = static_cast<std::size_t>(input);
        if (input < cells) {
          for (std::uint32_t hit = by_cell.begin[in]; hit < by_cell.begin[in + 1]; ++hit)
            add_scaled(row.data(), gradient + by_cell.shower[hit] * width, by_cell.value[hit], width);
        } else {
          const auto c = static_cast<std::size_t>(input - cells);
          for (std::size_t b = 0; b < size; ++b)
            add_scaled(row.data(), gradient + b * width,
                       conditions[b * static_cast<std::size_t>(condition_dim) + c], width);
        }
        optimizer.update(weight, in * width, width, row.data());
      }
    });
    std::vector<float> bias_gradient(width, 0.0f);
    for (std::size_t b = 0; b < size; ++b) add_scaled(bias_gradient.data(), gradient + b * width, 1, width);
    optimizer.update(at_name("encoder.0.bias"), 0, width, bias_gradient.data());
  }

  // Output layer and loss; with an optimiser also gradient and update. Returns the loss summed over showers.
  double output_layer(const float* hidden, std::size_t size, const Optimizer* optimizer,
                      float* hidden_gradient) {
    const auto batch = static_cast<std::int64_t>(size);
    const auto width = static_cast<std::size_t>(hidden_last);
    const auto scale = static_cast<float>(description.w_reco / static_cast<double>(size));
    Parameter& weight = at_name("decoder.output.weight");
    Parameter& bias = at_name("decoder.output.bias");
    const auto workers = static_cast<std::size_t>(pool.size());
    std::vector<double> losses(workers, 0.0);
    std::vector<std::vector<float>> partial(workers);
    in_pieces(cells, kBlockCells, [&](std::int64_t begin, std::int64_t end, std::size_t worker) {
      std::vector<float> block(size * kBlockCells), weight_gradient(kBlockCells * width),
          bias_gradient(kBlockCells), slopes;
      std::vector<float>& sum = partial[worker];
      if (optimizer != nullptr) sum.assign(size * width, 0.0f);
      double loss = 0;
      for (std::int64_t first = begin; first < end; first += kBlockCells) {
        const std::int64_t count = std::min(kBlockCells, end - first);
        const auto columns = static_cast<std::size_t>(count);
        float* block_weight = weight.values.data() + static_cast<std::size_t>(first) * width;
        dnnl_sgemm('N', 'T', batch, count, hidden_last, 1, hidden, hidden_last, block_weight, hidden_last, 0,
                   block.data(), count);
        slopes.clear();
        for (std::size_t cell = 0; cell < columns; ++cell) {
          const std::size_t global = static_cast<std::size_t>(first) + cell;
          for (std::uint32_t hit = by_cell.begin[global]; hit < by_cell.begin[global + 1]; ++hit) {
            const float logit = block[by_cell.shower[hit] * columns + cell] + bias.values[global];
            const HitTerm term = hit_term(output, logit, by_cell.value[hit]);
            loss -= term.loss;
            slopes.push_back(term.slope);
          }
        }
        for (std::size_t b = 0; b < size; ++b)
          loss += empty_cells(output, block.data() + b * columns, bias.values.data() + first, columns, scale);
        if (optimizer == nullptr) continue;
        auto slope = slopes.begin();
        for (std::size_t cell = 0; cell < columns; ++cell) {
          const std::size_t global = static_cast<std::size_t>(first) + cell;
          for (std::uint32_t hit = by_cell.begin[global]; hit < by_cell.begin[global + 1]; ++hit)
            block[by_cell.shower[hit] * columns + cell] -= scale * *slope++;
        }
        dnnl_sgemm('N', 'N', batch, hidden_last, count, 1, block.data(), count, block_weight, hidden_last, 1,
                   sum.data(), hidden_last);
        dnnl_sgemm('T', 'N', count, hidden_last, batch, 1, block.data(), count, hidden, hidden_last, 0,
                   weight_gradient.data(), hidden_last);
        std::fill(bias_gradient.begin(), bias_gradient.end(), 0.0f);
        for (std::size_t b = 0; b < size; ++b)
          add_scaled(bias_gradient.data(), block.data() + b * columns, 1, columns);
        optimizer->update(weight, static_cast<std::size_t>(first) * width, columns * width,
                          weight_gradient.data());
        optimizer->update(bias, static_cast<std::size_t>(first), columns, bias_gradient.data());
      }
      losses[worker] = loss;
    });
    double loss = 0;
    for (std::size_t worker = 0; worker < workers; ++worker) {
      loss += losses[worker];
      for (std::size_t i = 0; i < partial[worker].size(); ++i) hidden_gradient[i] += partial[worker][i];
    }
    return loss * description.w_reco;
  }

  // The whole loss by LibTorch, over dense cells.
  struct DenseLoss {
    torch::Tensor reconstruction, kl;  // weighted, means over the batch
  };

  DenseLoss dense_loss(std::size_t size, const torch::Tensor& noise, bool training) {
    const auto batch = static_cast<std::int64_t>(size);
    std::vector<std::int64_t> places;
    places.reserve(hit_cell.size());
    for (std::size_t b = 0; b < size; ++b)
      for (std::size_t hit = hit_begin[b]; hit < hit_begin[b + 1]; ++hit)
        places.push_back(static_cast<std::int64_t>(b) * cells + hit_cell[hit]);
    const auto hits = static_cast<std::int64_t>(places.size());
    torch::Tensor targets = torch::zeros({batch * cells}, torch::TensorOptions(device));
    targets.scatter_(0, torch::from_blob(places.data(), {hits}, torch::kInt64).to(device),
                     torch::from_blob(hit_value.data(), {hits}, torch::kFloat32).to(device));
    targets = targets.view({batch, cells});
    const torch::Tensor condition_rows = condition_tensor(size).to(device);
    const torch::Tensor first = torch::addmm(
        tensors["encoder.0.bias"], torch::cat({targets, condition_rows}, 1), tensors["encoder.0.weight"]);
    const Middle inner = middle(first, condition_rows, noise.to(device), training);
    const torch::Tensor z = dense(inner.hidden, "decoder.output");
    torch::Tensor sum;
    switch (output) {
      case Output::kSigmoid:
        sum = torch::binary_cross_entropy_with_logits(z, targets, {}, {}, at::Reduction::Sum);
        break;
      case Output::kRelu:
        sum = torch::mse_loss(torch::relu(z), targets, at::Reduction::Sum);
        break;
      case Output::kSoftplus:
        sum = torch::mse_loss(torch::softplus(z), targets, at::Reduction::Sum);
        break;
      case Output::kLinear:
        sum = torch::mse_loss(z, targets, at::Reduction::Sum);
    }
    return {.reconstruction = sum * (description.w_reco / static_cast<double>(size)), .kl = inner.kl};
  }

  Loss dense_step(std::size_t size, const torch::Tensor& noise, const Optimizer& optimizer) {
    const DenseLoss loss = dense_loss(size, noise, true);
    (loss.reconstruction + loss.kl).backward();
    const TorchOptimizer by_tensor(optimizer);
    for (auto& [name, moment] : moments) {
      torch::Tensor& tensor = tensors[name];
      by_tensor.update(tensor, moment, tensor.grad());
      tensor.mutable_grad().reset();
    }
    return {.reconstruction = loss.reconstruction.item<double>(), .kl = loss.kl.item<double>()};
  }

  torch::Tensor noise_for(std::span<const std::uint32_t> batch, std::uint64_t epoch,
                          std::uint32_t stream) const {
    torch::Tensor noise = torch::empty({static_cast<std::int64_t>(batch.size()), description.latent_dim});
    float* out = noise.data_ptr<float>();
    for (const std::uint32_t shower : batch) {
      core::Philox random(seed, epoch << 32 | shower, stream);
      for (std::int64_t i = 0; i < description.latent_dim; ++i) *out++ = random.normal();
    }
    return noise;
  }

  torch::Tensor condition_tensor(std::size_t size) {
    return torch::from_blob(conditions.data(), {static_cast<std::int64_t>(size), condition_dim},
                            torch::kFloat32);
  }

  ModelDescription description;
  Transform transform;
  std::uint64_t seed;
  core::ThreadPool& pool;
  bool by_torch;  // dense, all layers LibTorch's; else the fused step
  torch::Device device;
  std::int64_t cells;
  std::int64_t condition_dim;
  std::int64_t input_dim;
  std::int64_t hidden_first;
  std::int64_t hidden_last;
  Output output;
  std::vector<Parameter> parameters;
  std::map<std::string, std::size_t> index;
  std::map<std::string, torch::Tensor> tensors;
  std::map<std::string, TorchOptimizer::Moments> moments;  // by_torch
  std::vector<float> conditions;                           // of the batch, [B, condition_dim]
  std::vector<std::size_t> hit_begin;                      // of the batch, [B + 1]
  std::vector<std::uint32_t> hit_cell;
  std::vector<float> hit_value;  // energy over incident energy
  HitsByCell by_cell;
};

TrainingDevice training_device(const std::string& name) {
  const bool available = name != "cpu" && torch::cuda::is_available();
  if (name == "cuda" && !available)
    throw core::UnavailableError(
        {.message = "LibTorch finds no CUDA device here, or was built without CUDA",
         .field = "device",
         .hint = "use --device cpu, or build with a CUDA LibTorch (CMAKE_PREFIX_PATH)"});
  return available ? TrainingDevice::kCuda : TrainingDevice::kCpu;
}

Vae::Vae(const ModelDescription& description, const Transform& transform, std::uint64_t seed,
         std::span<const float> cell_means, core::ThreadPool& pool, TrainingDevice device)
    : impl_(std::make_unique<Impl>(description, transform, seed, cell_means, pool, device)) {}

Vae::~Vae() = default;

const std::vector<Parameter>& Vae::parameters() const {
  impl_->download();
  return impl_->parameters;
}

void Vae::set_parameters(const std::function<void(std::vector<Parameter>&)>& change) {
  impl_->download();
  change(impl_->parameters);
  if (impl_->by_torch) impl_->upload();
}

Loss Vae::train_step(const Showers& showers, std::span<const std::uint32_t> batch, std::uint64_t epoch,
                     const Optimizer& optimizer) {
  Impl& impl = *impl_;
  const std::size_t size = batch.size();
  impl.gather(showers, batch, impl.turns_for(batch, epoch));
  if (impl.by_torch) return impl.dense_step(size, impl.noise_for(batch, epoch, kNoiseStream), optimizer);
  const torch::Tensor first = impl.first_layer(size).requires_grad_(true);
  const Impl::Middle middle =
      impl.middle(first, impl.condition_tensor(size), impl.noise_for(batch, epoch, kNoiseStream), true);
  torch::Tensor hidden_gradient = torch::zeros_like(middle.hidden);
  const torch::Tensor hidden = middle.hidden.detach();
  const double reconstruction =
      impl.output_layer(hidden.data_ptr<float>(), size, &optimizer, hidden_gradient.data_ptr<float>());
  torch::autograd::backward({middle.hidden, middle.kl}, {hidden_gradient, torch::ones_like(middle.kl)});
  for (Parameter& parameter : impl.parameters) {
    if (!Impl::trained_by_autograd(parameter.name)) continue;
    torch::Tensor& gradient = impl.tensors[parameter.name].mutable_grad();
    if (!gradient.defined()) continue;
    optimizer.update(parameter, 0, parameter.values.size(), gradient.contiguous().data_ptr<float>());
    gradient.zero_();
  }
  const torch::Tensor first_gradient = first.grad().contiguous();
  impl.first_layer_update(first_gradient.data_ptr<float>(), size, optimizer);
  return {.reconstruction = reconstruction / static_cast<double>(size), .kl = middle.kl.item<double>()};
}

Loss Vae::evaluate(const Showers& showers, std::span<const std::uint32_t> batch) {
  const torch::NoGradGuard no_gradients;
  Impl& impl = *impl_;
  impl.gather(showers, batch, std::vector<int>(batch.size(), 0));
  const torch::Tensor noise = impl.noise_for(batch, 0, kEvaluationStream);
  if (impl.by_torch) {
    const Impl::DenseLoss loss = impl.dense_loss(batch.size(), noise, false);
    return {.reconstruction = loss.reconstruction.item<double>(), .kl = loss.kl.item<double>()};
  }
  const Impl::Middle middle =
      impl.middle(impl.first_layer(batch.size()), impl.condition_tensor(batch.size()), noise, false);
  const double sum = impl.output_layer(middle.hidden.data_ptr<float>(), batch.size(), nullptr, nullptr);
  return {.reconstruction = sum / static_cast<double>(batch.size()), .kl = middle.kl.item<double>()};
}

Weights Vae::weights() const {
  Weights weights;
  for (const Parameter& parameter : parameters()) {
    WeightTensor tensor{.shape = parameter.shape, .values = parameter.values};
    if (parameter.name == "encoder.0.weight") {
      std::swap(tensor.shape[0], tensor.shape[1]);
      const auto rows = static_cast<std::size_t>(tensor.shape[0]),
                 columns = static_cast<std::size_t>(tensor.shape[1]);
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < columns; ++j)
          tensor.values[i * columns + j] = parameter.values[j * rows + i];
    }
    weights[parameter.name] = std::move(tensor);
  }
  return weights;
}

}  // namespace calo
