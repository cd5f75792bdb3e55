#include "calo/infer/activation.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/simd.h"

namespace calo::infer {
namespace {

CALOPIPE_SIMD_CLONES void scaled_sigmoid(float* __restrict x, std::size_t count, float scale) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) x[i] = scale * core::fast_sigmoid(x[i]);
}

CALOPIPE_SIMD_CLONES void scaled_softplus(float* __restrict x, std::size_t count, float scale) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) {
    const float z = x[i];
    const float magnitude = z > 0 ? z : -z;
    x[i] = scale * ((z > 0 ? z : 0.0f) + core::fast_log1p(core::fast_exp(-magnitude)));
  }
}

CALOPIPE_SIMD_CLONES void scaled_relu(float* __restrict x, std::size_t count, float scale) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) x[i] = scale * (x[i] > 0 ? x[i] : 0.0f);
}

CALOPIPE_SIMD_CLONES void scaled(float* __restrict x, std::size_t count, float scale) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) x[i] = scale * x[i];
}

}  // namespace

float Activation::operator()(float x) const {
  switch (kind) {
    case Kind::kIdentity:
      return x;
    case Kind::kRelu:
      return x > 0 ? x : 0;
    case Kind::kLeakyRelu:
      return x > 0 ? x : alpha * x;
    case Kind::kElu:
      return x > 0 ? x : alpha * std::expm1(x);
    case Kind::kSelu:
      return gamma * (x > 0 ? x : alpha * std::expm1(x));
    case Kind::kTanh:
      return std::tanh(x);
    case Kind::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case Kind::kSoftplus:
      return std::max(x, 0.0f) + std::log1p(std::exp(-std::abs(x)));
    case Kind::kGelu:
      return 0.5f * x * (1 + std::erf(x * 0.70710678118654752f));
  }
  return x;
}

void Activation::apply(float* x, std::size_t count, float scale) const {
  switch (kind) {
    case Kind::kIdentity:
      scaled(x, count, scale);
      return;
    case Kind::kRelu:
      scaled_relu(x, count, scale);
      return;
    case Kind::kSigmoid:
      scaled_sigmoid(x, count, scale);
      return;
    case Kind::kSoftplus:
      scaled_softplus(x, count, scale);
      return;
    default:
      for (std::size_t i = 0; i < count; ++i) x[i] = scale * (*this)(x[i]);
  }
}

float Activation::surely_below(double y) const {
  constexpr double kSlack = 1e-3;  // above all rounding; what is left is compared again after the function
  double z = 0;
  switch (kind) {
    case Kind::kSigmoid:
      if (!(y > 0)) return -std::numeric_limits<float>::infinity();
      z = y < 1 ? std::log(y / (1 - y)) : 0;
      break;
    case Kind::kSoftplus:
      if (!(y > 0)) return -std::numeric_limits<float>::infinity();
      z = y + std::log(-std::expm1(-y));
      break;
    case Kind::kIdentity:
    case Kind::kRelu:
      if (!(y >= 0)) return -std::numeric_limits<float>::infinity();
      z = y;
      break;
    default:
      return -std::numeric_limits<float>::infinity();
  }
  return static_cast<float>(z - kSlack * (1 + std::abs(z)));
}

}  // namespace calo::infer
