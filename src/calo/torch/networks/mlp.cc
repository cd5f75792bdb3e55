#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "calo/torch/networks/detail/add_scaled.h"
#include "calo/torch/networks/detail/networks.h"
#include "calo/torch/networks/detail/parameters.h"
#include "core/philox.h"
#include "core/simd.h"

namespace calo {
namespace {

constexpr std::uint32_t kFirstLayerStream = 0x636c6631;
constexpr double kMlpLearningRate = 2e-4;
constexpr double kSlope = 0.01;          // slope of LeakyReLU
constexpr std::size_t kBlockRows = 128;  // rows of the first layer's weights that are one task of a thread
constexpr std::uint32_t kUnused = 0xffffffff;

// The first layer is by far the largest, [columns, width], and a shower has few columns that are not 0: the
// layer is a sum over those, and its gradient goes row by row into Adam's update. No thread depends on
// another one's sums, so that the results are the same for any number of threads. LibTorch does the rest.
class Mlp : public ClassifierNetwork {
 public:
  Mlp(const std::vector<bool>& used, const NetworkOptions& options, core::ThreadPool& pool)
      : pool_(pool),
        width_(static_cast<std::size_t>(options.hidden_width)),
        learning_rate_(options.learning_rate.value_or(kMlpLearningRate)),
        optimizer_(ModelDescription{}),
        parameters_(options.seed) {
    std::uint32_t rows = 0;
    for (const bool is_used : used) row_of_column_.push_back(is_used ? rows++ : kUnused);
    rows_ = rows;
    first_.values.resize(rows_ * width_);
    first_.first.assign(rows_ * width_, 0.0f);
    first_.second.assign(rows_ * width_, 0.0f);
    const double bound = 1 / std::sqrt(static_cast<double>(used.size()));
    pool_.for_each(used.size(), [&](std::size_t column) {
      if (row_of_column_[column] == kUnused) return;
      core::Philox random(options.seed, column, kFirstLayerStream);
      float* row = first_.values.data() + row_of_column_[column] * width_;
      for (std::size_t i = 0; i < width_; ++i)
        row[i] = static_cast<float>(bound * (2.0 * static_cast<double>(random.uniform()) - 1));
    });
    first_bias_ = parameters_.add_uniform({options.hidden_width}, bound);
    for (int i = 0; i < options.hidden_layers; ++i)
      hidden_.emplace_back(parameters_, options.hidden_width, options.hidden_width);
    hidden_.emplace_back(parameters_, options.hidden_width, 1);
  }

  double train(const SparseBatch& batch, std::span<const float> labels) override {
    const OneTorchThread one_thread;
    optimizer_.begin_step(++step_, learning_rate_);
    const torch::Tensor sums = first_layer(batch).requires_grad_(true);
    const torch::Tensor target = torch::tensor(at::ArrayRef<float>(labels.data(), labels.size()));
    const torch::Tensor loss = torch::binary_cross_entropy_with_logits(behind_first(sums), target);
    loss.backward();
    parameters_.step(optimizer_);
    const torch::Tensor gradient = sums.grad().contiguous();
    update_first_layer(batch, gradient.data_ptr<float>());
    return static_cast<double>(loss.item<float>());
  }

  std::vector<double> logits(const SparseBatch& batch) override {
    const OneTorchThread one_thread;
    const torch::NoGradGuard no_gradients;
    const torch::Tensor values = behind_first(first_layer(batch)).to(torch::kFloat64).contiguous();
    return {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()};
  }

 private:
  // [showers, width], without the bias.
  torch::Tensor first_layer(const SparseBatch& batch) const {
    torch::Tensor out =
        torch::zeros({static_cast<std::int64_t>(batch.size()), static_cast<std::int64_t>(width_)});
    float* rows = out.data_ptr<float>();
    pool_.for_each(batch.size(), [&](std::size_t shower) {
      for (std::size_t hit = batch.begin[shower]; hit < batch.begin[shower + 1]; ++hit) {
        const std::uint32_t row = row_of_column_[batch.column[hit]];
        if (row != kUnused)
          add_scaled(rows + shower * width_, first_.values.data() + row * width_, batch.value[hit], width_);
      }
    });
    return out;
  }

  torch::Tensor behind_first(const torch::Tensor& sums) const {
    torch::Tensor x = torch::leaky_relu(sums + first_bias_, kSlope);
    for (std::size_t i = 0; i + 1 < hidden_.size(); ++i) x = torch::leaky_relu(hidden_[i](x), kSlope);
    return hidden_.back()(x).squeeze(1);
  }

  void update_first_layer(const SparseBatch& batch, const float* gradient) {
    // Counting sort of the batch's hits by row.
    std::vector<std::uint32_t> begin(rows_ + 1, 0);
    for (const std::uint32_t column : batch.column)
      if (row_of_column_[column] != kUnused) ++begin[row_of_column_[column] + 1];
    for (std::size_t row = 0; row < rows_; ++row) begin[row + 1] += begin[row];
    std::vector<std::uint32_t> next(begin.begin(), begin.end() - 1), shower_of(begin.back());
    std::vector<float> value(begin.back());
    for (std::size_t shower = 0; shower < batch.size(); ++shower)
      for (std::size_t hit = batch.begin[shower]; hit < batch.begin[shower + 1]; ++hit) {
        const std::uint32_t row = row_of_column_[batch.column[hit]];
        if (row == kUnused) continue;
        const std::uint32_t place = next[row]++;
        shower_of[place] = static_cast<std::uint32_t>(shower);
        value[place] = batch.value[hit];
      }
    pool_.for_each((rows_ + kBlockRows - 1) / kBlockRows, [&](std::size_t block) {
      std::vector<float> sum(width_);
      const std::size_t end = std::min(rows_, (block + 1) * kBlockRows);
      for (std::size_t row = block * kBlockRows; row < end; ++row) {
        std::fill(sum.begin(), sum.end(), 0.0f);
        for (std::uint32_t hit = begin[row]; hit < begin[row + 1]; ++hit)
          add_scaled(sum.data(), gradient + shower_of[hit] * width_, value[hit], width_);
        optimizer_.update(first_, row * width_, width_, sum.data());
      }
    });
  }

  core::ThreadPool& pool_;
  std::size_t width_, rows_ = 0;
  double learning_rate_;
  std::int64_t step_ = 0;
  Optimizer optimizer_;
  TorchParameters parameters_;
  std::vector<std::uint32_t> row_of_column_;
  Parameter first_;  // [rows, width]: a hit reads contiguous memory
  torch::Tensor first_bias_;
  std::vector<TorchLinear> hidden_;
};

}  // namespace

std::unique_ptr<ClassifierNetwork> torch_mlp(const std::vector<bool>& used, const NetworkOptions& options,
                                             core::ThreadPool& pool) {
  return std::make_unique<Mlp>(used, options, pool);
}

}  // namespace calo
