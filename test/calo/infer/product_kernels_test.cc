#include "calo/infer/detail/product_kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <tuple>
#include <vector>

#include "core/philox.h"

namespace calo::infer {
namespace {

template <class T>
class Products : public testing::Test {
 protected:
  static std::vector<T> numbers(std::int64_t count, std::uint64_t seed) {
    core::Philox random(seed, 0);
    std::vector<T> out(static_cast<std::size_t>(count));
    for (T& x : out) x = static_cast<T>(random.uniform() - 0.5f);
    return out;
  }
};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Products, Types);

// Tiles of rows and columns, and what is left over beside them.
const std::tuple<std::int64_t, std::int64_t, std::int64_t> kShapes[] = {
    {1, 1, 1}, {6, 3, 64}, {7, 5, 1}, {13, 17, 77}, {4, 128, 33}, {12, 0, 9}, {0, 4, 4}, {5, 2, 15}};

TYPED_TEST(Products, AreTheSumsInTheOrderOfTheInnerIndexOnEveryInstructionSet) {
  using T = TypeParam;
  for (const auto& [m, k, n] : kShapes) {
    const std::vector<T> a = this->numbers(m * k, 1), b = this->numbers(k * n, 2),
                         start = this->numbers(m * n, 3);
    std::vector<T> expected = start;
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j)
        for (std::int64_t p = 0; p < k; ++p) {
          T& sum = expected[static_cast<std::size_t>(i * n + j)];
          sum = std::fma(a[static_cast<std::size_t>(i * k + p)], b[static_cast<std::size_t>(p * n + j)], sum);
        }
    for (const Isa isa : kIsas) {
      if (!has_isa(isa)) continue;
      std::vector<T> out = start;
      product_kernel<T>(isa)(a.data(), b.data(), out.data(), m, k, n);
      for (std::size_t i = 0; i < out.size(); ++i) {
        if (isa >= Isa::kAvx2)
          ASSERT_EQ(out[i], expected[i])
              << to_string(isa) << ", " << m << " x " << k << " x " << n << ", at " << i;
        else
          ASSERT_NEAR(out[i], expected[i], 100 * std::numeric_limits<T>::epsilon() * static_cast<T>(1 + k))
              << m << " x " << k << " x " << n << ", at " << i;
      }
    }
  }
}

}  // namespace
}  // namespace calo::infer
