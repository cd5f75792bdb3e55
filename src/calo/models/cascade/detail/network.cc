#include "calo/models/cascade/detail/network.h"

#include <cblas.h>

#include <algorithm>

#include "calo/infer/cascade/hard_swish.h"
#include "core/simd.h"

namespace calo::cascade {
namespace {

// to = from · h'(x)
CALOPIPE_SIMD_CLONES void swish_slope(const float* __restrict x, const float* __restrict from,
                                      float* __restrict to, std::size_t count) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) {
    const float inside = (2.0f * x[i] + 3.0f) * (1.0f / 6.0f);
    const float slope = x[i] <= -3.0f ? 0.0f : x[i] >= 3.0f ? 1.0f : inside;
    to[i] = from[i] * slope;
  }
}

CALOPIPE_SIMD_CLONES void add(const float* __restrict from, float* __restrict to, std::size_t count) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) to[i] += from[i];
}

// out += x · weightᵀ
void product(const float* x, const float* weight, float* out, std::size_t rows, std::size_t in,
             std::size_t to) {
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(rows), static_cast<int>(to),
              static_cast<int>(in), 1, x, static_cast<int>(in), weight, static_cast<int>(in), 1, out,
              static_cast<int>(to));
}

// x_gradient (+)= out_gradient · weight
void back_to_input(const float* out_gradient, const float* weight, float* x_gradient, std::size_t rows,
                   std::size_t in, std::size_t to, float keep) {
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(rows), static_cast<int>(in),
              static_cast<int>(to), 1, out_gradient, static_cast<int>(to), weight, static_cast<int>(in), keep,
              x_gradient, static_cast<int>(in));
}

// weight_gradient += out_gradientᵀ · x, unless it is null; bias_gradient += its sum over the rows
void back_to_weight(const float* out_gradient, const float* x, float* weight_gradient, float* bias_gradient,
                    std::size_t rows, std::size_t in, std::size_t to) {
  if (weight_gradient != nullptr)
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, static_cast<int>(to), static_cast<int>(in),
                static_cast<int>(rows), 1, out_gradient, static_cast<int>(to), x, static_cast<int>(in), 1,
                weight_gradient, static_cast<int>(in));
  for (std::size_t row = 0; row < rows; ++row) add(out_gradient + row * to, bias_gradient, to);
}

std::size_t size(std::int64_t n) {
  return static_cast<std::size_t>(n);
}

}  // namespace

NetworkPass::NetworkPass(const CascadeNet& net)
    : net_(net),
      layer_(kRows),
      position_(kRows),
      x_(kRows * size(net.inputs)),
      out_(kRows * size(net.outputs)),
      out_gradient_(out_.size()),
      upper_(kRows * size(net.width)),
      lower_(upper_.size()),
      z_(size(net.depth), std::vector<float>(upper_.size())),
      h_(z_) {}

float* NetworkPass::add_row(std::size_t layer, std::size_t position) {
  layer_[rows_] = layer;
  position_[rows_] = position;
  return x_.data() + rows_++ * size(net_.inputs);
}

void NetworkPass::forward(const NetTensors<const float>& tensors) {
  const std::size_t width = size(net_.width), in = size(net_.inputs), to = size(net_.outputs);
  const auto with_bias = [&](const float* bias, float* out, std::size_t columns) {
    for (std::size_t row = 0; row < rows_; ++row) std::copy_n(bias, columns, out + row * columns);
  };
  for (std::size_t i = 0; i < z_.size(); ++i) {
    with_bias(tensors.bias[i], z_[i].data(), width);
    product(i == 0 ? x_.data() : h_[i - 1].data(), tensors.weight[i], z_[i].data(), rows_,
            i == 0 ? in : width, width);
    if (i > 0) {
      add_hard_swish(z_[i].data(), h_[i - 1].data(), h_[i].data(), rows_ * width);
      continue;
    }
    for (std::size_t row = 0; row < rows_; ++row) {
      float* z = z_[0].data() + row * width;
      if (tensors.layer_table != nullptr) add(tensors.layer_table + layer_[row] * width, z, width);
      if (tensors.position_table != nullptr) add(tensors.position_table + position_[row] * width, z, width);
    }
    hard_swish_of_sum(z_[0].data(), nullptr, nullptr, h_[0].data(), rows_ * width);
  }
  with_bias(tensors.bias.back(), out_.data(), to);
  product(h_.back().data(), tensors.weight.back(), out_.data(), rows_, width, to);
}

void NetworkPass::backward(const NetTensors<const float>& tensors, const NetTensors<float>& gradient) {
  const std::size_t width = size(net_.width), in = size(net_.inputs), to = size(net_.outputs);
  back_to_weight(out_gradient_.data(), h_.back().data(), gradient.weight.back(), gradient.bias.back(), rows_,
                 width, to);
  back_to_input(out_gradient_.data(), tensors.weight.back(), upper_.data(), rows_, width, to, 0);
  for (std::size_t i = z_.size(); i-- > 0;) {
    swish_slope(z_[i].data(), upper_.data(), lower_.data(), rows_ * width);
    back_to_weight(lower_.data(), i == 0 ? x_.data() : h_[i - 1].data(), gradient.weight[i], gradient.bias[i],
                   rows_, i == 0 ? in : width, width);
    if (i > 0) back_to_input(lower_.data(), tensors.weight[i], upper_.data(), rows_, width, width, 1);
  }
  for (std::size_t row = 0; row < rows_; ++row) {
    const float* from = lower_.data() + row * width;
    if (gradient.layer_table != nullptr) add(from, gradient.layer_table + layer_[row] * width, width);
    if (gradient.position_table != nullptr)
      add(from, gradient.position_table + position_[row] * width, width);
  }
}

OneBlasThread::OneBlasThread() : before_(openblas_get_num_threads()) {
  openblas_set_num_threads(1);
}
OneBlasThread::~OneBlasThread() {
  openblas_set_num_threads(before_);
}

}  // namespace calo::cascade
