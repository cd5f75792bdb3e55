#include "calo/model/optimizer.h"

#include <cmath>

#include "core/simd.h"

namespace calo {
namespace {

using Constants = OptimizerConstants;

CALOPIPE_SIMD_CLONES void adam(float* __restrict w, float* __restrict m, float* __restrict v,
                               const float* __restrict g, std::size_t count, float step_size,
                               float inverse_root, float l2, float shrink) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) {
    const float gradient = g[i] + l2 * w[i];
    m[i] = Constants::kBeta1 * m[i] + (1 - Constants::kBeta1) * gradient;
    v[i] = Constants::kBeta2 * v[i] + (1 - Constants::kBeta2) * gradient * gradient;
    w[i] = shrink * w[i] - step_size * m[i] / (std::sqrt(v[i]) * inverse_root + Constants::kAdamEpsilon);
  }
}

CALOPIPE_SIMD_CLONES void sgd(float* __restrict w, float* __restrict buffer, const float* __restrict g,
                              std::size_t count, float lr, float momentum, float l2) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) {
    buffer[i] = momentum * buffer[i] + g[i] + l2 * w[i];
    w[i] -= lr * buffer[i];
  }
}

CALOPIPE_SIMD_CLONES void rmsprop(float* __restrict w, float* __restrict buffer, float* __restrict square,
                                  const float* __restrict g, std::size_t count, float lr, float momentum,
                                  float l2) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) {
    const float gradient = g[i] + l2 * w[i];
    square[i] = Constants::kRmsDecay * square[i] + (1 - Constants::kRmsDecay) * gradient * gradient;
    buffer[i] = momentum * buffer[i] + gradient / (std::sqrt(square[i]) + Constants::kAdamEpsilon);
    w[i] -= lr * buffer[i];
  }
}

CALOPIPE_SIMD_CLONES void adagrad(float* __restrict w, float* __restrict sum, const float* __restrict g,
                                  std::size_t count, float lr, float l2) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) {
    const float gradient = g[i] + l2 * w[i];
    sum[i] += gradient * gradient;
    w[i] -= lr * gradient / (std::sqrt(sum[i]) + Constants::kAdagradEpsilon);
  }
}

}  // namespace

Optimizer::Optimizer(const ModelDescription& description)
    : kind_(description.optimizer == "sgd"       ? Kind::kSgd
            : description.optimizer == "rmsprop" ? Kind::kRmsprop
            : description.optimizer == "adamw"   ? Kind::kAdamW
            : description.optimizer == "adagrad" ? Kind::kAdagrad
                                                 : Kind::kAdam),
      momentum_(static_cast<float>(description.momentum)),
      weight_decay_(static_cast<float>(description.weight_decay)) {}

void Optimizer::begin_step(std::int64_t step, double lr) {
  lr_ = static_cast<float>(lr);
  const auto t = static_cast<double>(step);
  step_size_ = static_cast<float>(lr / (1 - std::pow(static_cast<double>(Constants::kBeta1), t)));
  inverse_root_ = static_cast<float>(1 / std::sqrt(1 - std::pow(static_cast<double>(Constants::kBeta2), t)));
}

void Optimizer::update(Parameter& parameter, std::size_t begin, std::size_t count,
                       const float* gradient) const {
  float* w = parameter.values.data() + begin;
  float* first = parameter.first.data() + begin;
  float* second = parameter.second.data() + begin;
  switch (kind_) {
    case Kind::kSgd:
      sgd(w, first, gradient, count, lr_, momentum_, weight_decay_);
      break;
    case Kind::kRmsprop:
      rmsprop(w, first, second, gradient, count, lr_, momentum_, weight_decay_);
      break;
    case Kind::kAdam:
      adam(w, first, second, gradient, count, step_size_, inverse_root_, weight_decay_, 1);
      break;
    case Kind::kAdamW:
      adam(w, first, second, gradient, count, step_size_, inverse_root_, 0, 1 - lr_ * weight_decay_);
      break;
    case Kind::kAdagrad:
      adagrad(w, second, gradient, count, lr_, weight_decay_);
      break;
  }
}

}  // namespace calo
