#include "base/statistics/tail.h"

#include <gmock/gmock.h>

#include <vector>

#include "base/rng.h"
#include "base/testing.h"

namespace plumb {
namespace {

std::vector<double> counted(int64_t n) {
  std::vector<double> out;
  for (int64_t i = n; i > 0; --i) out.push_back(static_cast<double>(i));
  return out;
}

TEST(TailPercentile, NeedsTheSamplesThatABoundNeeds) {
  EXPECT_EQ(least_samples_for_percentile(0.90), 29);
  EXPECT_EQ(least_samples_for_percentile(0.95), 59);
  EXPECT_EQ(least_samples_for_percentile(0.99), 299);
  for (const double p : {0.90, 0.95, 0.99}) {
    const int64_t least = least_samples_for_percentile(p);
    const TailPercentile few = tail_percentile(counted(least - 1), p);
    EXPECT_FALSE(few.value.has_value());
    EXPECT_THAT(few.reason, ::testing::HasSubstr(text("at least ", least)));
    const TailPercentile enough = tail_percentile(counted(least), p);
    EXPECT_TRUE(enough.value.has_value());
    EXPECT_EQ(enough.high, static_cast<double>(least));  // the largest is the bound, and just so
  }
}

TEST(TailPercentile, IsTheOrderStatisticOfItsRank) {
  EXPECT_EQ(tail_percentile(counted(100), 0.90).value, 90.0);
  EXPECT_EQ(tail_percentile(counted(101), 0.90).value, 91.0);
}

// P(Bin(100, 0.9) <= 93) = 0.883, <= 94: 0.942, <= 95: 0.976; P(>= 85) = 0.960, >= 86: 0.927 (scipy.stats.binom).
TEST(TailPercentile, HasTheBoundsOfTheBinomialDistribution) {
  const TailPercentile found = tail_percentile(counted(100), 0.90);
  EXPECT_EQ(found.high, 96.0);
  EXPECT_EQ(found.low, 85.0);
}

// 4000 draws: 95 % have a standard error of 0.35 %; order statistics are never below the level, and above it by a step.
TEST(TailPercentile, IsCoveredByItsBounds) {
  int above = 0, below = 0;
  constexpr int kDraws = 4000;
  for (uint64_t draw = 0; draw < kDraws; ++draw) {
    Rng rng(11, draw);
    std::vector<double> samples(60);
    for (double& v : samples) v = rng.uniform();
    const TailPercentile found = tail_percentile(samples, 0.9);
    above += found.high >= 0.9;
    below += found.low <= 0.9;
  }
  EXPECT_GE(above, static_cast<int>(kDraws * 0.94));
  EXPECT_GE(below, static_cast<int>(kDraws * 0.94));
  EXPECT_LT(above, kDraws);
  EXPECT_LT(below, kDraws);
}

}  // namespace
}  // namespace plumb
