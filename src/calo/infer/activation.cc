#include "calo/infer/activation.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace calo::infer {
namespace {

float hard_sigmoid(float x, float alpha, float beta) {
  const float y = alpha * x + beta;
  return y < 0 ? 0 : y > 1 ? 1 : y;  // NaN stays
}

}  // namespace

float Activation::operator()(float x) const {
  switch (kind) {
    case Kind::kIdentity:
      return x;
    case Kind::kRelu:
      return x < 0 ? 0 : x;  // NaN stays
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
    case Kind::kGeluTanh:
      return 0.5f * x * (1 + std::tanh(0.7978845608028654f * (x + 0.044715f * x * x * x)));
    case Kind::kCelu:
      return x > 0 ? x : alpha * std::expm1(x / alpha);
    case Kind::kMish:
      return x * std::tanh(std::max(x, 0.0f) + std::log1p(std::exp(-std::abs(x))));
    case Kind::kHardSigmoid:
      return hard_sigmoid(x, alpha, gamma);
    case Kind::kHardSwish:
      return x * hard_sigmoid(x, 1.0f / 6, 0.5f);
    case Kind::kSoftsign:
      return x / (1 + std::abs(x));
    case Kind::kExp:
      return std::exp(x);
    case Kind::kErf:
      return std::erf(x);
  }
  return x;
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
