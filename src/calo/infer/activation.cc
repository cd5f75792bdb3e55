#include "calo/infer/activation.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace calo::infer {

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
