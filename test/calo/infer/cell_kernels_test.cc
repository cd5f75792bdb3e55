#include "calo/infer/cell_kernels.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "calo/infer/cascade/hard_swish.h"
#include "core/philox.h"

namespace {

using calo::infer::Activation;
using calo::infer::CellKernels;
using calo::infer::Isa;
using Kind = Activation::Kind;

constexpr float kInfinite = std::numeric_limits<float>::infinity();
constexpr Kind kKinds[] = {Kind::kIdentity, Kind::kRelu, Kind::kSigmoid, Kind::kSoftplus, Kind::kTanh};

double exactly(Kind kind, double z) {
  switch (kind) {
    case Kind::kIdentity:
      return z;
    case Kind::kRelu:
      return z < 0 ? 0 : z;
    case Kind::kSigmoid:
      return 1 / (1 + std::exp(-z));
    case Kind::kSoftplus:
      return std::max(z, 0.0) + std::log1p(std::exp(-std::abs(z)));
    default:
      return std::tanh(z);
  }
}

std::vector<float> numbers(std::size_t count) {
  core::Philox random(11, 0);
  std::vector<float> z(count);
  for (float& x : z) x = 4 * random.normal();
  return z;
}

std::vector<std::uint32_t> bits(const std::vector<float>& x) {
  std::vector<std::uint32_t> out;
  out.reserve(x.size());
  for (const float value : x) out.push_back(std::bit_cast<std::uint32_t>(value));
  return out;
}

template <class Body>
void for_each_kernel(const Body& body) {
  for (const Kind kind : kKinds)
    for (const Isa isa : calo::infer::kIsas)
      for (const bool quick : {false, true}) {
        if (!calo::infer::has_isa(isa)) continue;
        SCOPED_TRACE(std::string(to_string(isa)) + ", kind " + std::to_string(static_cast<int>(kind)) +
                     (quick ? ", quick" : ""));
        body(kind, calo::infer::cell_kernels(kind, isa, quick), quick);
      }
}

TEST(CellKernels, CalculateWithinTheirErrors) {
  for (const std::size_t count : {1, 7, 8, 15, 16, 17, 64, 1003}) {
    const std::vector<float> z = numbers(count);
    for_each_kernel([&](Kind kind, const CellKernels& kernels, bool quick) {
      std::vector<float> out(count + 1, -7.0f);
      ASSERT_TRUE(kernels.dense({.kind = kind}, z.data(), count, 3.0f, out.data()));
      for (std::size_t i = 0; i < count; ++i) {
        const double expected = 3 * exactly(kind, static_cast<double>(z[i]));
        ASSERT_NEAR(out[i], expected, (quick ? 2e-4 : 1e-6) * std::abs(expected)) << z[i];
      }
      EXPECT_EQ(out[count], -7.0f);  // nothing behind the end
    });
  }
}

// Wherever a row begins in its line of memory.
TEST(CellKernels, StreamTheBitsThatTheyStore) {
  const std::vector<float> z = numbers(403);
  for_each_kernel([&](Kind kind, const CellKernels& kernels, bool) {
    std::vector<float> stored(403);
    kernels.dense({.kind = kind}, z.data(), stored.size(), 3.0f, stored.data());
    for (const std::size_t shift : {0, 1, 5, 16}) {
      std::vector<float> streamed(stored.size() + shift);
      ASSERT_TRUE(kernels.stream({.kind = kind}, z.data(), stored.size(), 3.0f, streamed.data() + shift));
      calo::infer::stream_fence();
      streamed.erase(streamed.begin(), streamed.begin() + static_cast<std::ptrdiff_t>(shift));
      ASSERT_EQ(bits(streamed), bits(stored)) << shift;
    }
  });
}

TEST(CellKernels, SayWhatIsNotFinite) {
  for_each_kernel([](Kind kind, const CellKernels& kernels, bool) {
    for (const std::size_t count : {5, 16, 200})
      for (const std::size_t at : {std::size_t{0}, count / 2, count - 1}) {
        std::vector<float> z = numbers(count), out(count);
        z[at] = std::nanf("");
        EXPECT_FALSE(kernels.dense({.kind = kind}, z.data(), count, 1.0f, out.data())) << count << " " << at;
        EXPECT_FALSE(kernels.stream({.kind = kind}, z.data(), count, 1.0f, out.data())) << count << " " << at;
        EXPECT_TRUE(std::isnan(out[at]));
      }
  });
}

// Of the cells that dense() makes those at or above the threshold, with the same bits, behind what is there.
TEST(CellKernels, CollectTheHits) {
  constexpr std::size_t kCount = 160, kFirst = 1000, kKnown = 151, kBefore = 3;
  std::vector<float> z = numbers(kCount);
  for (std::size_t i = 64; i < 96; ++i) z[i] = -50;  // whole groups without a hit
  z[40] = std::nanf("");
  z[41] = kInfinite;
  z[42] = -kInfinite;
  for_each_kernel([&](Kind kind, const CellKernels& kernels, bool) {
    const Activation activation{.kind = kind};
    for (const float threshold : {0.0f, 0.75f}) {
      std::vector<float> cells(kCount);
      kernels.dense(activation, z.data(), kCount, 1.5f, cells.data());
      std::vector<std::uint32_t> expected_cells(kBefore, 9);
      std::vector<float> expected(kBefore, 8);
      for (std::size_t i = 0; i < kKnown; ++i)
        if ((!(cells[i] < threshold) && !(cells[i] <= 0)) || cells[i] == -kInfinite) {
          expected_cells.push_back(static_cast<std::uint32_t>(kFirst + i));
          expected.push_back(cells[i]);
        }
      std::vector<std::uint32_t> found_cells(kCount + CellKernels::kGroup + kBefore, 9);
      std::vector<float> found(found_cells.size(), 8);
      const std::size_t size = kernels.collect(
          activation, {.z = z.data(),
                       .count = kCount,
                       .first_cell = kFirst,
                       .all_cells = kFirst + kKnown,
                       .smallest = activation.surely_below(static_cast<double>(threshold) / 1.5),
                       .scale = 1.5f,
                       .threshold = threshold,
                       .cells = found_cells.data(),
                       .energies = found.data(),
                       .size = kBefore});
      found_cells.resize(size);
      found.resize(size);
      EXPECT_EQ(found_cells, expected_cells) << threshold;
      EXPECT_EQ(bits(found), bits(expected)) << threshold;
    }
  });
}

TEST(HardSwish, AgreesOnEveryInstructionSet) {
  for (const std::size_t count : {1, 7, 16, 33, 300}) {
    const std::vector<float> x = numbers(count), a(count, 0.5f), b(count, -1.25f), before = numbers(count);
    const auto swish = [](double y) { return y * std::min(std::max(y + 3, 0.0), 6.0) / 6; };
    std::vector<float> fused;
    for (const Isa isa : calo::infer::kIsas) {
      if (!calo::infer::has_isa(isa)) continue;
      SCOPED_TRACE(to_string(isa));
      std::vector<float> all;
      const auto check = [&](const float* first, const float* second, const float* add) {
        std::vector<float> h(count);
        if (add != nullptr)
          calo::cascade::add_hard_swish(x.data(), add, h.data(), count, isa);
        else
          calo::cascade::hard_swish_of_sum(x.data(), first, second, h.data(), count, isa);
        for (std::size_t i = 0; i < count; ++i) {
          const double sum = static_cast<double>(x[i]) + (first != nullptr ? first[i] : 0) +
                             (second != nullptr ? second[i] : 0);
          ASSERT_NEAR(h[i], swish(sum) + (add != nullptr ? add[i] : 0), 4e-6 * (1 + std::abs(sum)));
        }
        all.insert(all.end(), h.begin(), h.end());
      };
      check(nullptr, nullptr, nullptr);
      check(a.data(), nullptr, nullptr);
      check(nullptr, b.data(), nullptr);
      check(a.data(), b.data(), nullptr);
      check(nullptr, nullptr, before.data());
      if (isa == Isa::kAvx2) fused = all;
      if (isa > Isa::kAvx2) {
        EXPECT_EQ(bits(all), bits(fused));
      }
    }
  }
}

}  // namespace
