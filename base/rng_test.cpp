#include "base/rng.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

namespace plumb {
namespace {

// With seed 0 and stream 0 the key is 0 and the generator is SplitMix64 itself, whose first values
// from state 0 are published with it (Steele, Lea, Flood 2014; Vigna's reference code).
TEST(Rng, WithSeedZeroIsSplitMix64) {
  Rng rng(0);
  EXPECT_EQ(rng.next(), 0xE220A8397B1DCDAFull);
  EXPECT_EQ(rng.next(), 0x6E789E6AA1B965F4ull);
  EXPECT_EQ(rng.next(), 0x06C45D188009454Full);
}

TEST(Rng, DependsOnSeedAndStreamAlone) {
  EXPECT_EQ(Rng(5, 7).next(), Rng(5, 7).next());
  std::set<uint64_t> firsts;
  for (uint64_t seed = 0; seed < 30; ++seed)
    for (uint64_t stream = 0; stream < 30; ++stream) firsts.insert(Rng(seed, stream).next());
  EXPECT_EQ(firsts.size(), 900u);
}

class RngOverSeeds : public ::testing::TestWithParam<uint64_t> {};  // parameter: seed

TEST_P(RngOverSeeds, BelowHitsEveryValueEquallyOften) {
  Rng rng(GetParam());
  constexpr int kBound = 7, kDraws = 70000;
  std::vector<int> counts(kBound, 0);
  for (int i = 0; i < kDraws; ++i) ++counts[rng.below(kBound)];
  // Chi-square with 6 degrees of freedom is above 38.3 with probability 1e-6; 20 fixed seeds are
  // tried.
  double chi_square = 0;
  for (const int count : counts) {
    const double expected = double{kDraws} / kBound;
    chi_square += (count - expected) * (count - expected) / expected;
  }
  EXPECT_LT(chi_square, 38.3);
}

TEST_P(RngOverSeeds, UniformAndNormalHaveTheirMoments) {
  Rng rng(GetParam(), 1);
  constexpr int kDraws = 40000;
  double uniform = 0, normal = 0, square = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double u = rng.uniform(), z = rng.normal();
    ASSERT_TRUE(u >= 0 && u < 1);
    uniform += u / kDraws;
    normal += z / kDraws;
    square += z * z / kDraws;
  }
  // Five standard errors each: sqrt(1/12), 1 and sqrt(2) over sqrt(draws).
  EXPECT_NEAR(uniform, 0.5, 5 * std::sqrt(1.0 / 12 / kDraws));
  EXPECT_NEAR(normal, 0, 5 * std::sqrt(1.0 / kDraws));
  EXPECT_NEAR(square, 1, 5 * std::sqrt(2.0 / kDraws));
}
INSTANTIATE_TEST_SUITE_P(Seeds, RngOverSeeds, ::testing::Range<uint64_t>(0, 20));

TEST(Rng, BelowHandlesTheSmallestAndTheLargestBounds) {
  Rng rng(1);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(rng.below(1), 0u);
  for (int i = 0; i < 100; ++i) EXPECT_LT(rng.below(~uint64_t{0}), ~uint64_t{0});
}

}  // namespace
}  // namespace plumb
