#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/rng.h"
#include "base/statistics/bootstrap.h"

namespace plumb {
namespace {

/// How often the 95 % interval of `n` samples holds their true mean, by simulation with fixed
/// seeds.
template <typename Draw>
double coverage(size_t n, int runs, double truth, Draw draw) {
  int covered = 0;
  for (int run = 0; run < runs; ++run) {
    Rng rng(20, static_cast<uint64_t>(run));
    std::vector<double> x(n);
    for (double& value : x) value = draw(rng);
    const Interval interval = bootstrap_mean(x, {.draws = 1000});
    covered += interval.low <= truth && truth <= interval.high;
  }
  return static_cast<double>(covered) / runs;
}

// Four Monte-Carlo errors of a share near 95 %.
double margin(int runs) { return 4 * std::sqrt(0.95 * 0.05 / runs); }

TEST(Coverage, OfSixtyFourNormalSamplesIsNearItsLevel) {
  const double share = coverage(64, 4000, 0, [](Rng& rng) { return rng.normal(); });
  EXPECT_GE(share, 0.93 - margin(4000)) << share;
  EXPECT_LE(share, 0.97 + margin(4000)) << share;
}

// Known shortfall: the bootstrap's spread is sqrt((n-1)/n) of the right one and it has no t
// distribution's tails.
TEST(Coverage, OfTwentyFourNormalSamplesFallsShortByAboutTwoPoints) {
  const double share = coverage(24, 4000, 0, [](Rng& rng) { return rng.normal(); });
  EXPECT_NEAR(share, 0.932, margin(4000)) << share;
}

// The same interval in numpy, 20,000 runs of 24 exponential samples: 0.914, give or take 0.002. The
// runs here share one set of resamples, which adds about as much again to the Monte-Carlo error.
TEST(Coverage, OfTwentyFourSkewedSamplesFallsShortByAboutFourPoints) {
  const int runs = 20000;
  const double share = coverage(24, runs, 1, [](Rng& rng) { return -std::log1p(-rng.uniform()); });
  EXPECT_NEAR(share, 0.914, 2 * margin(runs)) << share;
}

}  // namespace
}  // namespace plumb
