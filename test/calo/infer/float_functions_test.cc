#include "calo/infer/float_functions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

namespace {

using calo::infer::Activation;
using calo::infer::float_function;
using calo::infer::Isa;
using Kind = Activation::Kind;

struct Case {
  Activation f;
  const char* name;
  double (*truth)(double x);
  bool falls_off = false;  // on the left, where only |x| bounds the error
};

double clamped(double x) {
  return std::min(1.0, std::max(0.0, x));
}

const Case kCases[] = {
    {{Kind::kIdentity}, "identity", [](double x) { return x; }},
    {{Kind::kRelu}, "relu", [](double x) { return x > 0 ? x : 0; }},
    {{Kind::kLeakyRelu, 0.25f}, "leaky_relu", [](double x) { return x > 0 ? x : 0.25 * x; }},
    {{Kind::kElu, 0.75f}, "elu", [](double x) { return x > 0 ? x : 0.75 * std::expm1(x); }},
    {{Kind::kSelu, 1.5f, 1.25f}, "selu", [](double x) { return 1.25 * (x > 0 ? x : 1.5 * std::expm1(x)); }},
    {{Kind::kCelu, 0.5f}, "celu", [](double x) { return x > 0 ? x : 0.5 * std::expm1(x / 0.5); }},
    {{Kind::kTanh}, "tanh", [](double x) { return std::tanh(x); }},
    {{Kind::kSigmoid}, "sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); }},
    {{Kind::kSoftplus},
     "softplus",
     [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }},
    {{Kind::kGelu}, "gelu", [](double x) { return 0.5 * x * std::erfc(-x * std::sqrt(0.5)); }, true},
    {{Kind::kGeluTanh},
     "gelu_tanh",
     [](double x) { return x / (1 + std::exp(-2 * 0.7978845608028654 * (x + 0.044715 * x * x * x))); },
     true},
    {{Kind::kMish},
     "mish",
     [](double x) { return x * std::tanh(std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)))); },
     true},
    {{Kind::kHardSigmoid, 0.25f, 0.5f}, "hard_sigmoid", [](double x) { return clamped(0.25 * x + 0.5); }},
    {{Kind::kHardSwish},
     "hard_swish",
     [](double x) { return x * clamped(double(1.0f / 6) * x + 0.5); },
     true},
    {{Kind::kSoftsign}, "softsign", [](double x) { return x / (1 + std::abs(x)); }},
    {{Kind::kExp}, "exp", [](double x) { return std::exp(x); }},
    {{Kind::kErf}, "erf", [](double x) { return std::erf(x); }},
};

// The distance to the next float of this size.
double unit_of(double y) {
  const auto size = static_cast<float>(std::min(std::abs(y), double(std::numeric_limits<float>::max())));
  return std::ldexp(1.0, std::max(-149, std::ilogb(std::max(size, 1e-45f)) - 23));
}

// Every so many floats of each sign and size, and all around 0.
std::vector<float> numbers() {
  std::vector<float> out;
  for (std::uint64_t bits = 0; bits < std::uint64_t{1} << 32; bits += 1999)
    if (const auto x = std::bit_cast<float>(static_cast<std::uint32_t>(bits)); std::isfinite(x))
      out.push_back(x);
  for (double x = -110; x < 110; x += 1.7e-4) out.push_back(static_cast<float>(x));
  for (std::uint32_t bits = 0; bits < 3000; ++bits)
    for (const std::uint32_t sign : {0u, 0x80000000u}) out.push_back(std::bit_cast<float>(sign | bits));
  return out;
}

std::vector<float> of(const Case& c, Isa isa, const std::vector<float>& x) {
  std::vector<float> y(x.size());
  float_function(c.f.kind, isa)(c.f, x.data(), y.data(), x.size());
  return y;
}

TEST(FloatFunctions, AreWithinTheBoundThatTheySay) {
  const std::vector<float> x = numbers();
  for (const Case& c : kCases)
    for (const Isa isa : calo::infer::kIsas) {
      if (!calo::infer::has_isa(isa)) continue;
      const std::vector<float> y = of(c, isa, x);
      double worst = 0;
      float where = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double truth = c.truth(x[i]);
        if (std::isinf(y[i]) && std::abs(truth) > std::numeric_limits<float>::max() * (1 - 1e-6)) continue;
        const double bound = c.falls_off ? 4 * unit_of(truth) + 4e-7 * std::abs(static_cast<double>(x[i]))
                                         : 4 * unit_of(truth);
        const double error = std::abs(static_cast<double>(y[i]) - truth) / bound;
        if (!(error <= worst)) worst = error, where = x[i];
      }
      EXPECT_LE(worst, 1) << c.name << " " << to_string(isa) << " of " << where;
      RecordProperty(std::string(c.name) + " " + to_string(isa), std::to_string(worst));
    }
}

TEST(FloatFunctions, KeepNoNumbersAndLimits) {
  constexpr float kInfinite = std::numeric_limits<float>::infinity(),
                  kNan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> x = {kNan, -kNan, kInfinite, -kInfinite, 0.0f, -0.0f};
  for (const Case& c : kCases)
    for (const Isa isa : calo::infer::kIsas) {
      if (!calo::infer::has_isa(isa)) continue;
      const std::vector<float> y = of(c, isa, x);
      EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1])) << c.name << " " << to_string(isa);
      for (std::size_t i = 2; i < x.size(); ++i) {
        const double truth = c.truth(x[i]);
        if (std::isnan(truth)) {  // infinite by infinite, or infinite by 0, as the formula has it
          EXPECT_TRUE(std::isnan(y[i])) << c.name << " of " << x[i];
        } else {
          EXPECT_EQ(y[i], static_cast<float>(truth)) << c.name << " " << to_string(isa) << " of " << x[i];
        }
      }
    }
}

std::vector<std::uint32_t> bits_of(const std::vector<float>& x) {
  std::vector<std::uint32_t> bits;
  bits.reserve(x.size());
  for (const float y : x) bits.push_back(std::bit_cast<std::uint32_t>(y));
  return bits;
}

// Wherever a number stands in an array of whatever length, and on each instruction set with fused products.
TEST(FloatFunctions, GiveTheSameBitsAtEachPlace) {
  const std::vector<float> x = numbers();
  std::vector<float> few;  // of every size
  for (std::size_t i = 0; i < x.size(); i += x.size() / 200) few.push_back(x[i]);
  for (const Case& c : kCases) {
    std::vector<std::uint32_t> fused;
    for (const Isa isa : calo::infer::kIsas) {
      if (!calo::infer::has_isa(isa)) continue;
      const std::vector<std::uint32_t> together = bits_of(of(c, isa, few));
      for (std::size_t begin = 0; begin < few.size(); ++begin) {
        const auto first = static_cast<std::ptrdiff_t>(begin);
        const std::vector<std::uint32_t> part =
            bits_of(of(c, isa, std::vector<float>(few.begin() + first, few.end())));
        ASSERT_TRUE(std::equal(part.begin(), part.end(), together.begin() + first)) << c.name << " " << begin;
      }
      std::vector<float> in_place = x;
      float_function(c.f.kind, isa)(c.f, in_place.data(), in_place.data(), in_place.size());
      const std::vector<std::uint32_t> bits = bits_of(of(c, isa, x));
      EXPECT_EQ(bits_of(in_place), bits) << c.name;
      if (isa == Isa::kAvx2) fused = bits;
      if (isa == Isa::kAvx512) {
        EXPECT_EQ(bits, fused) << c.name;
      }
    }
  }
}

}  // namespace
