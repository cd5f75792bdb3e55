#include <dnnl.h>
#include <fmt/format.h>
#include <omp.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "calo/model/output_loss.h"
#include "calo/torch/networks/detail/activation.h"
#include "calo/torch/networks/detail/add_scaled.h"
#include "calo/torch/networks/detail/networks.h"
#include "calo/torch/networks/detail/optimizer.h"
#include "core/error.h"
#include "core/philox.h"
#include "core/simd.h"

namespace calo {
namespace {

constexpr std::uint32_t kVaeInitStream = 0x696e6974;
constexpr std::uint32_t kNoiseStream = 0x6e6f6973;
constexpr std::uint32_t kTurnStream = 0x7475726e;
constexpr std::uint32_t kEvaluationStream = 0x6576616c;
constexpr std::int64_t kBlockCells = 256;  // of the output layer: block, gradient and weights fit into L2

double initial_deviation(const std::string& initializer, double in, double out) {
  if (initializer == "random_normal") return 0.05;
  if (initializer == "glorot_normal" || initializer == "glorot_uniform") return std::sqrt(2.0 / (in + out));
  if (initializer == "he_normal" || initializer == "he_uniform") return std::sqrt(2.0 / in);
  return 0;
}

// Keras' initialisers; its normal Glorot and He are truncated at two standard deviations.
void initialize(Parameter& parameter, const std::string& initializer, double in, double out,
                std::uint64_t seed, std::uint64_t index) {
  const double deviation = initial_deviation(initializer, in, out);
  if (deviation == 0) return;
  core::Philox random(seed, index, kVaeInitStream);
  const bool uniform = initializer.ends_with("uniform");
  const bool truncated = initializer.ends_with("_normal") && initializer != "random_normal";
  constexpr double kTruncatedDeviation =
      0.87962566103423978;  // standard deviation of a normal distribution truncated at 2
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

// Sparse view of a batch by cell: the showers with a hit in it, and their values.
struct HitsByCell {
  std::vector<std::uint32_t> begin;  // cells + 1
  std::vector<std::uint32_t> shower;
  std::vector<float> value;
};

class Vae : public TrainableModel {
 public:
  Vae(const ModelDescription& description, const Transform& transform, std::uint64_t seed,
      std::span<const float> cell_means, core::ThreadPool& pool, TrainingDevice device,
      core::ProcessGroup& group)
      : description_(description),
        transform_(transform),
        seed_(seed),
        pool_(pool),
        group_(group),
        by_torch_(device != TrainingDevice::kCpu),
        device_(device == TrainingDevice::kCuda ? torch::kCUDA : torch::kCPU),
        cells_(transform_.mesh.num_cells()),
        condition_dim_(transform_.condition_dim()),
        input_dim_(cells_ + condition_dim_),
        hidden_first_(description_.intermediate_dims.front()),
        hidden_last_(description_.intermediate_dims.front()),
        output_(output_of(description_.out_activation)) {
    at::set_num_threads(by_torch_ ? pool_.size() : 1);
    if (description_.rotate_phi && !transform_.mesh.is_cylinder())
      throw core::UsageError(
          {.message = "needs a regular mesh, whose layers can be rotated", .field = "rotate_phi"});
    const std::vector<std::int64_t>& dims = description_.intermediate_dims;
    // The first layer is stored as [in, out], so that a hit reads one contiguous row.
    add_dense("encoder.0", input_dim_, dims[0], {input_dim_, dims[0]});
    add_norm("encoder.0", dims[0]);
    for (std::size_t i = 1; i < dims.size(); ++i) {
      add_dense(fmt::format("encoder.{}", i), dims[i - 1], dims[i], {dims[i], dims[i - 1]});
      add_norm(fmt::format("encoder.{}", i), dims[i]);
    }
    for (const char* head : {"encoder.mean", "encoder.log_var"})
      add_dense(head, dims.back(), description_.latent_dim, {description_.latent_dim, dims.back()});
    std::int64_t previous = description_.latent_dim + condition_dim_;
    for (std::size_t i = 0; i < dims.size(); ++i) {
      const std::int64_t size = dims[dims.size() - 1 - i];
      add_dense(fmt::format("decoder.{}", i), previous, size, {size, previous});
      add_norm(fmt::format("decoder.{}", i), size);
      previous = size;
    }
    add_dense("decoder.output", previous, cells_, {cells_, previous});
    if (description_.output_bias == "data_mean") {
      constexpr float kSmallest = 1e-10f;  // for cells without hits in training: far below any threshold
      std::vector<float>& bias = at_name("decoder.output.bias").values;
      for (std::size_t i = 0; i < bias.size(); ++i) {
        const float mean = std::clamp(cell_means[i], kSmallest, 1 - kSmallest);
        bias[i] = output_ == Output::kSigmoid    ? std::log(mean / (1 - mean))
                  : output_ == Output::kSoftplus ? std::log(std::expm1(mean))
                                                 : mean;
      }
    }
    own_inputs_ = share_of(input_dim_, 1, "encoder.0.weight", hidden_first_);
    own_cells_ = share_of(cells_, kBlockCells, "decoder.output.weight", hidden_last_);
    share_of(cells_, kBlockCells, "decoder.output.bias", 1);
    upload();
  }

  std::vector<std::string> loss_parts() const override { return {"reconstruction", "kl"}; }

  const std::vector<Parameter>& parameters() override {
    download();
    return parameters_;
  }

  void set_parameters(const std::function<void(std::vector<Parameter>&)>& change) override {
    download();
    change(parameters_);
    if (by_torch_) upload();
  }

  Loss train_step(const Batch& batch, std::uint64_t epoch, const Optimizer& optimizer) override {
    const std::size_t size = batch.size();
    gather(batch.showers, batch.indices, turns_for(batch, epoch));
    if (by_torch_) return dense_step(size, noise_for(batch, epoch, kNoiseStream), optimizer);
    const torch::Tensor first = first_layer(size).requires_grad_(true);
    const Middle middle =
        inner_layers(first, condition_tensor(size), noise_for(batch, epoch, kNoiseStream), true);
    torch::Tensor hidden_gradient = torch::zeros_like(middle.hidden);
    const torch::Tensor hidden = middle.hidden.detach();
    double reconstruction =
        output_layer(hidden.data_ptr<float>(), size, &optimizer, hidden_gradient.data_ptr<float>());
    sum(hidden_gradient, {&reconstruction, 1});
    torch::autograd::backward({middle.hidden, middle.kl}, {hidden_gradient, torch::ones_like(middle.kl)});
    for (Parameter& parameter : parameters_) {
      if (!trained_by_autograd(parameter.name)) continue;
      torch::Tensor& gradient = tensors_[parameter.name].mutable_grad();
      if (!gradient.defined()) continue;
      optimizer.update(parameter, 0, parameter.values.size(), gradient.contiguous().data_ptr<float>());
      gradient.zero_();
    }
    const torch::Tensor first_gradient = first.grad().contiguous();
    first_layer_update(first_gradient.data_ptr<float>(), size, optimizer);
    return {.parts = {reconstruction / static_cast<double>(size), middle.kl.item<double>()}};
  }

  Loss evaluate(const Batch& batch) override {
    const torch::NoGradGuard no_gradients;
    gather(batch.showers, batch.indices, std::vector<int>(batch.size(), 0));
    const torch::Tensor noise = noise_for(batch, 0, kEvaluationStream);
    if (by_torch_) {
      const DenseLoss loss = dense_loss(batch.size(), noise, false);
      return {.parts = {loss.reconstruction.item<double>(), loss.kl.item<double>()}};
    }
    const Middle middle =
        inner_layers(first_layer(batch.size()), condition_tensor(batch.size()), noise, false);
    double sum = output_layer(middle.hidden.data_ptr<float>(), batch.size(), nullptr, nullptr);
    group_.sum(std::span(&sum, 1));
    return {.parts = {sum / static_cast<double>(batch.size()), middle.kl.item<double>()}};
  }

  Weights weights() override {
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

  void set_weights(const Weights& weights) override {
    Weights stored = weights;
    if (const auto found = stored.find("encoder.0.weight"); found != stored.end()) {
      const WeightTensor& from = weights.at(found->first);
      const auto rows = static_cast<std::size_t>(from.shape.at(0)),
                 columns = static_cast<std::size_t>(from.shape.at(1));
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < columns; ++j)
          found->second.values[j * rows + i] = from.values[i * columns + j];
    }
    TrainableModel::set_weights(stored);
  }

 private:
  static torch::Tensor view(std::vector<float>& values, const std::vector<std::int64_t>& shape) {
    return torch::from_blob(values.data(), shape, torch::kFloat32);
  }

  // Creates LibTorch's tensors_ from the parameters_: in the same memory for the fused step, otherwise copies
  // on the device_.
  void upload() {
    for (Parameter& parameter : parameters_) {
      torch::Tensor tensor = view(parameter.values, parameter.shape);
      if (by_torch_) tensor = tensor.to(device_, torch::kFloat32, false, true);
      if (by_torch_ ? !is_statistic(parameter.name) : trained_by_autograd(parameter.name))
        tensor.requires_grad_(true);
      tensors_[parameter.name] = tensor;
      if (by_torch_ && !is_statistic(parameter.name))
        moments_[parameter.name] = {
            .first = view(parameter.first, parameter.shape).to(device_, torch::kFloat32, false, true),
            .second = view(parameter.second, parameter.shape).to(device_, torch::kFloat32, false, true)};
    }
  }

  void download() {
    if (!by_torch_) return;
    const torch::NoGradGuard no_gradients;
    for (Parameter& parameter : parameters_) {
      view(parameter.values, parameter.shape).copy_(tensors_[parameter.name]);
      if (is_statistic(parameter.name)) continue;
      view(parameter.first, parameter.shape).copy_(moments_[parameter.name].first);
      view(parameter.second, parameter.shape).copy_(moments_[parameter.name].second);
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
    index_[name] = parameters_.size();
    Parameter parameter{.name = name, .shape = std::move(shape), .values = std::vector<float>(count, fill)};
    if (!is_statistic(name)) {
      parameter.first.assign(count, 0.0f);
      parameter.second.assign(count, 0.0f);
    }
    parameters_.push_back(std::move(parameter));
    return parameters_.back();
  }

  void add_dense(const std::string& name, std::int64_t in, std::int64_t out,
                 std::vector<std::int64_t> shape) {
    const auto fan_in = static_cast<double>(in), fan_out = static_cast<double>(out);
    initialize(add(name + ".weight", std::move(shape), 0), description_.kernel_initializer, fan_in, fan_out,
               seed_, parameters_.size());
    // Keras uses the length of a vector for both fans.
    initialize(add(name + ".bias", {out}, 0), description_.bias_initializer, fan_out, fan_out, seed_,
               parameters_.size());
  }

  void add_norm(const std::string& name, std::int64_t size) {
    if (!description_.batch_norm) return;
    add(name + ".norm.weight", {size}, 1);
    add(name + ".norm.bias", {size}, 0);
    add(name + ".norm.running_mean", {size}, 0);
    add(name + ".norm.running_var", {size}, 1);
  }

  Parameter& at_name(const std::string& name) { return parameters_[index_.at(name)]; }

  torch::Tensor activate_and_normalize(const torch::Tensor& x, const std::string& name, bool training) {
    const torch::Tensor active = activate(description_, x);
    if (!description_.batch_norm) return active;
    return torch::batch_norm(active, tensors_[name + ".norm.weight"], tensors_[name + ".norm.bias"],
                             tensors_[name + ".norm.running_mean"], tensors_[name + ".norm.running_var"],
                             training, 1 - description_.batch_norm_momentum, description_.batch_norm_epsilon,
                             false);
  }

  torch::Tensor dense(const torch::Tensor& x, const std::string& name) {
    return torch::linear(x, tensors_[name + ".weight"], tensors_[name + ".bias"]);
  }

  struct Middle {
    torch::Tensor hidden;  // decoder's last hidden layer, [B, hidden_last_]
    torch::Tensor kl;      // weighted, mean over the batch
  };

  Middle inner_layers(const torch::Tensor& first, const torch::Tensor& condition_rows,
                      const torch::Tensor& noise, bool training) {
    torch::Tensor x = activate_and_normalize(first, "encoder.0", training);
    const std::size_t layers = description_.intermediate_dims.size();
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
    return {.hidden = x.contiguous(), .kl = kl * description_.w_kl};
  }

  struct Range {
    std::int64_t begin = 0, end = 0;
    bool has(std::int64_t i) const { return i >= begin && i < end; }
  };

  // Divides [0, count) into even pieces of whole multiples, except for the last one.
  static Range piece(Range all, std::int64_t multiple, std::int64_t number, std::int64_t pieces) {
    const std::int64_t blocks = (all.end - all.begin + multiple - 1) / multiple;
    return {.begin = std::min(all.end, all.begin + blocks * number / pieces * multiple),
            .end = std::min(all.end, all.begin + blocks * (number + 1) / pieces * multiple)};
  }

  // The share of this process in a layer, whose tensor has `width` elements for each of `count` rows.
  Range share_of(std::int64_t count, std::int64_t multiple, const std::string& tensor, std::int64_t width) {
    if (by_torch_) return {.begin = 0, .end = count};
    for (int rank = 0; group_.size() > 1 && rank < group_.size(); ++rank) {
      const Range range = piece({.begin = 0, .end = count}, multiple, rank, group_.size());
      at_name(tensor).shares.push_back(static_cast<std::size_t>((range.end - range.begin) * width));
    }
    return piece({.begin = 0, .end = count}, multiple, group_.rank(), group_.size());
  }

  // Calls body(begin, end, worker) for the range, divided into as many even pieces as there are threads.
  template <class Body>
  void in_pieces(Range range, std::int64_t multiple, const Body& body) {
    const std::int64_t workers = pool_.size();
    pool_.for_each(static_cast<std::size_t>(workers), [&](std::size_t worker) {
      omp_set_num_threads(1);
      const Range part = piece(range, multiple, static_cast<std::int64_t>(worker), workers);
      if (part.begin < part.end) body(part.begin, part.end, worker);
    });
  }

  // Sums a tensor, and numbers beside it, over all processes.
  void sum(torch::Tensor& tensor, std::span<double> numbers = {}) {
    if (group_.size() == 1) return;
    float* values = tensor.data_ptr<float>();
    const auto count = static_cast<std::size_t>(tensor.numel());
    exchanged_.assign(values, values + count);
    core::sum_both(group_, exchanged_, numbers);
    std::copy_n(exchanged_.data(), count, values);
  }

  // Copies the batch's hits in the cells of this process, each shower rotated around its axis by `turns`
  // cells, and also sorts them by cell.
  void gather(const Showers& showers, std::span<const std::uint32_t> batch, const std::vector<int>& turns) {
    const std::size_t size = batch.size();
    hit_begin_.assign(1, 0);
    hit_cell_.clear();
    hit_value_.clear();
    for (std::size_t b = 0; b < size; ++b) {
      const float inverse = 1.0f / showers.conditions[batch[b]].incident_energy_mev;
      const auto cells = showers.cells_of(batch[b]);
      const auto energies = showers.energies_of(batch[b]);
      for (std::size_t i = 0; i < cells.size(); ++i) {
        const std::uint32_t cell = turned(cells[i], turns[b]);
        if (!own_inputs_.has(cell) && !own_cells_.has(cell)) continue;
        hit_cell_.push_back(cell);
        hit_value_.push_back(energies[i] * inverse);
      }
      hit_begin_.push_back(hit_cell_.size());
    }
    conditions_.resize(size * static_cast<std::size_t>(condition_dim_));
    for (std::size_t b = 0; b < size; ++b) {
      const Conditions& condition = showers.conditions[batch[b]];
      transform_.encode(condition, showers.geometries[condition.geometry],
                        {conditions_.data() + b * static_cast<std::size_t>(condition_dim_),
                         static_cast<std::size_t>(condition_dim_)});
    }
    // Counting sort of the batch's hits by cell.
    by_cell_.begin.assign(static_cast<std::size_t>(cells_) + 1, 0);
    for (const std::uint32_t cell : hit_cell_) ++by_cell_.begin[cell + 1];
    for (std::size_t cell = 0; cell < static_cast<std::size_t>(cells_); ++cell)
      by_cell_.begin[cell + 1] += by_cell_.begin[cell];
    by_cell_.shower.resize(hit_cell_.size());
    by_cell_.value.resize(hit_cell_.size());
    std::vector<std::uint32_t> next(by_cell_.begin.begin(), by_cell_.begin.end() - 1);
    for (std::size_t b = 0; b < size; ++b)
      for (std::size_t hit = hit_begin_[b]; hit < hit_begin_[b + 1]; ++hit) {
        const std::uint32_t place = next[hit_cell_[hit]]++;
        by_cell_.shower[place] = static_cast<std::uint32_t>(b);
        by_cell_.value[place] = hit_value_[hit];
      }
  }

  std::uint32_t turned(std::uint32_t cell, int turn) const {
    if (turn == 0) return cell;
    const CellPosition position = transform_.mesh.position(cell);
    return transform_.mesh.cell(position.layer, (position.phi + turn) % transform_.mesh.layer(0).n_phi,
                                position.r);
  }

  std::vector<int> turns_for(const Batch& batch, std::uint64_t epoch) const {
    std::vector<int> turns;
    for (const std::uint32_t shower : batch.indices) {
      core::Philox random(seed_, epoch << 32 | batch.number(shower), kTurnStream);
      const auto steps = static_cast<std::uint32_t>(transform_.mesh.layer(0).n_phi);
      turns.push_back(description_.rotate_phi ? static_cast<int>(random.below(steps)) : 0);
    }
    return turns;
  }

  torch::Tensor first_layer(std::size_t size) {
    const auto width = static_cast<std::size_t>(hidden_first_);
    torch::Tensor out = torch::empty({static_cast<std::int64_t>(size), hidden_first_});
    float* rows = out.data_ptr<float>();
    const Parameter& weight = at_name("encoder.0.weight");
    const Parameter& bias = at_name("encoder.0.bias");
    pool_.for_each(size, [&](std::size_t b) {
      float* row = rows + b * width;
      if (group_.is_first())
        std::memcpy(row, bias.values.data(), width * sizeof(float));
      else
        std::fill_n(row, width, 0.0f);
      for (std::size_t hit = hit_begin_[b]; hit < hit_begin_[b + 1]; ++hit)
        if (own_inputs_.has(hit_cell_[hit]))
          add_scaled(row, weight.values.data() + hit_cell_[hit] * width, hit_value_[hit], width);
      for (std::int64_t c = std::max(cells_, own_inputs_.begin) - cells_; c < own_inputs_.end - cells_; ++c)
        add_scaled(row, weight.values.data() + static_cast<std::size_t>(cells_ + c) * width,
                   conditions_[b * static_cast<std::size_t>(condition_dim_) + static_cast<std::size_t>(c)],
                   width);
    });
    sum(out);
    return out;
  }

  // Computes the gradient of the first layer for each row of its weights, and updates that row at once.
  void first_layer_update(const float* gradient, std::size_t size, const Optimizer& optimizer) {
    const auto width = static_cast<std::size_t>(hidden_first_);
    Parameter& weight = at_name("encoder.0.weight");
    in_pieces(own_inputs_, 1, [&](std::int64_t begin, std::int64_t end, std::size_t) {
      std::vector<float> row(width);
      for (std::int64_t input = begin; input < end; ++input) {
        std::fill(row.begin(), row.end(), 0.0f);
        const auto in = static_cast<std::size_t>(input);
        if (input < cells_) {
          for (std::uint32_t hit = by_cell_.begin[in]; hit < by_cell_.begin[in + 1]; ++hit)
            add_scaled(row.data(), gradient + by_cell_.shower[hit] * width, by_cell_.value[hit], width);
        } else {
          const auto c = static_cast<std::size_t>(input - cells_);
          for (std::size_t b = 0; b < size; ++b)
            add_scaled(row.data(), gradient + b * width,
                       conditions_[b * static_cast<std::size_t>(condition_dim_) + c], width);
        }
        optimizer.update(weight, in * width, width, row.data());
      }
    });
    std::vector<float> bias_gradient(width, 0.0f);
    for (std::size_t b = 0; b < size; ++b) add_scaled(bias_gradient.data(), gradient + b * width, 1, width);
    optimizer.update(at_name("encoder.0.bias"), 0, width, bias_gradient.data());
  }

  // Output layer and loss; with an optimiser also gradient and update. Returns the sum of the loss over the
  // showers, and gives the gradient of the hidden layer, from the cells of this process.
  double output_layer(const float* hidden, std::size_t size, const Optimizer* optimizer,
                      float* hidden_gradient) {
    const auto batch = static_cast<std::int64_t>(size);
    const auto width = static_cast<std::size_t>(hidden_last_);
    const auto scale = static_cast<float>(description_.w_reco / static_cast<double>(size));
    Parameter& weight = at_name("decoder.output.weight");
    Parameter& bias = at_name("decoder.output.bias");
    const auto workers = static_cast<std::size_t>(pool_.size());
    std::vector<double> losses(workers, 0.0);
    std::vector<std::vector<float>> partial(workers);
    in_pieces(own_cells_, kBlockCells, [&](std::int64_t begin, std::int64_t end, std::size_t worker) {
      std::vector<float> block(size * kBlockCells), weight_gradient(kBlockCells * width),
          bias_gradient(kBlockCells), slopes;
      std::vector<float>& sum = partial[worker];
      if (optimizer != nullptr) sum.assign(size * width, 0.0f);
      double loss = 0;
      for (std::int64_t first = begin; first < end; first += kBlockCells) {
        const std::int64_t count = std::min(kBlockCells, end - first);
        const auto columns = static_cast<std::size_t>(count);
        float* block_weight = weight.values.data() + static_cast<std::size_t>(first) * width;
        dnnl_sgemm('N', 'T', batch, count, hidden_last_, 1, hidden, hidden_last_, block_weight, hidden_last_,
                   0, block.data(), count);
        slopes.clear();
        for (std::size_t cell = 0; cell < columns; ++cell) {
          const std::size_t global = static_cast<std::size_t>(first) + cell;
          for (std::uint32_t hit = by_cell_.begin[global]; hit < by_cell_.begin[global + 1]; ++hit) {
            const float logit = block[by_cell_.shower[hit] * columns + cell] + bias.values[global];
            const HitTerm term = hit_term(output_, logit, by_cell_.value[hit]);
            loss -= term.loss;
            slopes.push_back(term.slope);
          }
        }
        for (std::size_t b = 0; b < size; ++b)
          loss +=
              empty_cells(output_, block.data() + b * columns, bias.values.data() + first, columns, scale);
        if (optimizer == nullptr) continue;
        auto slope = slopes.begin();
        for (std::size_t cell = 0; cell < columns; ++cell) {
          const std::size_t global = static_cast<std::size_t>(first) + cell;
          for (std::uint32_t hit = by_cell_.begin[global]; hit < by_cell_.begin[global + 1]; ++hit)
            block[by_cell_.shower[hit] * columns + cell] -= scale * *slope++;
        }
        dnnl_sgemm('N', 'N', batch, hidden_last_, count, 1, block.data(), count, block_weight, hidden_last_,
                   1, sum.data(), hidden_last_);
        dnnl_sgemm('T', 'N', count, hidden_last_, batch, 1, block.data(), count, hidden, hidden_last_, 0,
                   weight_gradient.data(), hidden_last_);
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
    return loss * description_.w_reco;
  }

  // The whole loss with LibTorch, over dense cells.
  struct DenseLoss {
    torch::Tensor reconstruction, kl;  // weighted, means over the batch
  };

  DenseLoss dense_loss(std::size_t size, const torch::Tensor& noise, bool training) {
    const auto batch = static_cast<std::int64_t>(size);
    std::vector<std::int64_t> places;
    places.reserve(hit_cell_.size());
    for (std::size_t b = 0; b < size; ++b)
      for (std::size_t hit = hit_begin_[b]; hit < hit_begin_[b + 1]; ++hit)
        places.push_back(static_cast<std::int64_t>(b) * cells_ + hit_cell_[hit]);
    const auto hits = static_cast<std::int64_t>(places.size());
    torch::Tensor targets = torch::zeros({batch * cells_}, torch::TensorOptions(device_));
    targets.scatter_(0, torch::from_blob(places.data(), {hits}, torch::kInt64).to(device_),
                     torch::from_blob(hit_value_.data(), {hits}, torch::kFloat32).to(device_));
    targets = targets.view({batch, cells_});
    const torch::Tensor condition_rows = condition_tensor(size).to(device_);
    const torch::Tensor first = torch::addmm(
        tensors_["encoder.0.bias"], torch::cat({targets, condition_rows}, 1), tensors_["encoder.0.weight"]);
    const Middle inner = inner_layers(first, condition_rows, noise.to(device_), training);
    const torch::Tensor z = dense(inner.hidden, "decoder.output");
    torch::Tensor sum;
    switch (output_) {
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
    return {.reconstruction = sum * (description_.w_reco / static_cast<double>(size)), .kl = inner.kl};
  }

  Loss dense_step(std::size_t size, const torch::Tensor& noise, const Optimizer& optimizer) {
    const DenseLoss loss = dense_loss(size, noise, true);
    (loss.reconstruction + loss.kl).backward();
    const TorchOptimizer by_tensor(optimizer);
    for (auto& [name, moment] : moments_) {
      torch::Tensor& tensor = tensors_[name];
      by_tensor.update(tensor, moment, tensor.grad());
      tensor.mutable_grad().reset();
    }
    return {.parts = {loss.reconstruction.item<double>(), loss.kl.item<double>()}};
  }

  torch::Tensor noise_for(const Batch& batch, std::uint64_t epoch, std::uint32_t stream) const {
    torch::Tensor noise = torch::empty({static_cast<std::int64_t>(batch.size()), description_.latent_dim});
    float* out = noise.data_ptr<float>();
    for (const std::uint32_t shower : batch.indices) {
      core::Philox random(seed_, epoch << 32 | batch.number(shower), stream);
      for (std::int64_t i = 0; i < description_.latent_dim; ++i) *out++ = random.normal();
    }
    return noise;
  }

  torch::Tensor condition_tensor(std::size_t size) {
    return torch::from_blob(conditions_.data(), {static_cast<std::int64_t>(size), condition_dim_},
                            torch::kFloat32);
  }

  ModelDescription description_;
  Transform transform_;
  std::uint64_t seed_;
  core::ThreadPool& pool_;
  core::ProcessGroup& group_;
  std::vector<float> exchanged_;
  bool by_torch_;  // true: all layers are LibTorch's, over dense cells; false: the fused step
  torch::Device device_;
  std::int64_t cells_;
  std::int64_t condition_dim_;
  std::int64_t input_dim_;
  std::int64_t hidden_first_;
  std::int64_t hidden_last_;
  Output output_;
  Range own_inputs_, own_cells_;  // rows of the first and of the output layer that this process trains
  std::vector<Parameter> parameters_;
  std::map<std::string, std::size_t> index_;
  std::map<std::string, torch::Tensor> tensors_;
  std::map<std::string, TorchOptimizer::Moments> moments_;  // by_torch_
  std::vector<float> conditions_;                           // of the batch, [B, condition_dim_]
  std::vector<std::size_t> hit_begin_;                      // of the batch, [B + 1]
  std::vector<std::uint32_t> hit_cell_;
  std::vector<float> hit_value_;  // energy over incident energy
  HitsByCell by_cell_;
};

}  // namespace

std::unique_ptr<TrainableModel> torch_vae(const ModelDescription& description, const Transform& transform,
                                          std::uint64_t seed, std::span<const float> cell_means,
                                          core::ThreadPool& pool, TrainingDevice device,
                                          core::ProcessGroup& group) {
  return std::make_unique<Vae>(description, transform, seed, cell_means, pool, device, group);
}

}  // namespace calo
