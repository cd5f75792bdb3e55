#include "core/philox.h"

#include <gtest/gtest.h>

#include <vector>

namespace {

using core::Philox;

// Known answers of Random123 1.09 for philox4x32-10.
TEST(Philox, MatchesThePublishedVectors) {
  EXPECT_EQ(Philox::round10({0, 0, 0, 0}, {0, 0}),
            (Philox::Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox::round10({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (Philox::Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox::round10({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Philox::Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, NumbersDependOnSeedIndexAndStreamOnly) {
  Philox a(7, 3, 1);
  Philox b(7, 3, 1);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.next_u32(), b.next_u32());
  EXPECT_NE(Philox(7, 3, 1).next_u32(), Philox(8, 3, 1).next_u32());
  EXPECT_NE(Philox(7, 3, 1).next_u32(), Philox(7, 4, 1).next_u32());
  EXPECT_NE(Philox(7, 3, 1).next_u32(), Philox(7, 3, 2).next_u32());
  EXPECT_NE(Philox(7, 3, 1).next_u32(), Philox(7 + (1ull << 32), 3, 1).next_u32());
}

TEST(Philox, NormalsHaveTheirMoments) {
  constexpr int kCount = 200000;
  double sum = 0, squares = 0, fourth = 0;
  for (int i = 0; i < kCount / 20; ++i) {
    Philox random(1, static_cast<std::uint64_t>(i));
    for (int j = 0; j < 20; ++j) {
      const double x = random.normal();
      sum += x;
      squares += x * x;
      fourth += x * x * x * x;
    }
  }
  // Five standard errors of each estimator.
  EXPECT_NEAR(sum / kCount, 0, 5 / std::sqrt(kCount));
  EXPECT_NEAR(squares / kCount, 1, 5 * std::sqrt(2.0 / kCount));
  EXPECT_NEAR(fourth / kCount, 3, 5 * std::sqrt(96.0 / kCount));
}

TEST(Philox, BelowIsUniform) {
  std::vector<int> counts(7, 0);
  Philox random(42, 0);
  constexpr int kCount = 70000;
  for (int i = 0; i < kCount; ++i) ++counts[random.below(7)];
  double chi2 = 0;
  for (const int count : counts) chi2 += (count - 10000.0) * (count - 10000.0) / 10000.0;
  EXPECT_LT(chi2, 27.9);  // 6 degrees of freedom, p = 1e-4
}

}  // namespace
