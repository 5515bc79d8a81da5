#include "base/statistics/bca.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "base/statistics/golden_statistics.h"
#include "base/statistics/summary.h"

namespace plumb {
namespace {

using testing::Doubles;
using testing::golden_statistics;

Doubles less(Doubles values, double centre) {
  for (double& value : values) value -= centre;
  return values;
}

TEST(Bca, EqualsScipysOnGivenDraws) {
  for (const auto& entry : golden_statistics()["bca"]) {
    const auto samples = entry["samples"].get<Doubles>();
    const double centre = mean(samples);
    Doubles draws = less(entry["draws"].get<Doubles>(), centre);
    const double acceleration = acceleration_of_mean(less(samples, centre));
    const BcaEnds ends = bca_interval(draws, acceleration, entry["given"]["level"]);
    // Subtracting the mean rounds at its size, and the percentile's place moves with the rounding of bias and
    // acceleration, far less than 1e-9 of the spread.
    const double spread = std::sqrt(variance(samples));
    const double tolerance = 1e-9 * spread + 8 * 2.3e-16 * std::abs(centre);
    EXPECT_NEAR(centre + ends.low, entry["given"]["low"].get<double>(), tolerance)
        << entry["shape"];
    EXPECT_NEAR(centre + ends.high, entry["given"]["high"].get<double>(), tolerance)
        << entry["shape"];
  }
}

TEST(Bca, AccelerationOfTheMeanIsTheJackknifes) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Rng rng(seed);
    Doubles x(3 + rng.below(40));
    for (double& value : x) value = std::exp(rng.normal());
    Doubles without(x.size());  // the mean without each one
    for (size_t i = 0; i < x.size(); ++i) {
      Doubles rest = x;
      rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(i));
      without[i] = mean(rest);
    }
    double squares = 0, cubes = 0;
    const double centre = mean(without);
    for (const double value : without) {
      squares += (centre - value) * (centre - value);
      cubes += std::pow(centre - value, 3);
    }
    // The jackknife's differences cancel about n-fold: 40 * 64 roundings, on a value below 1/6.
    EXPECT_NEAR(acceleration_of_mean(less(x, mean(x))), cubes / (6 * std::pow(squares, 1.5)),
                1e-12);
  }
}

TEST(Bca, WithoutBiasAndAccelerationIsThePercentileInterval) {
  Doubles draws(2001);
  for (size_t i = 0; i < draws.size(); ++i)
    draws[i] = static_cast<double>(i) - 1000;  // half below, one tie
  std::reverse(draws.begin(), draws.end());
  const BcaEnds ends = bca_interval(draws, 0, 0.9);
  EXPECT_NEAR(ends.low, -900,
              1e-9);  // 5 % of 2000 steps; the quantile and the cdf undo each other to 1e-12
  EXPECT_NEAR(ends.high, 900, 1e-9);
}

TEST(Bca, StaysFiniteWhereEveryDrawIsOnOneSide) {
  Doubles above = {1, 2, 3, 4};
  const BcaEnds ends = bca_interval(above, 0.1, 0.95);
  EXPECT_GE(ends.low, 1);
  EXPECT_LE(ends.high, 4);
  Doubles one = {0.25};
  EXPECT_EQ(bca_interval(one, 0, 0.95).low, 0.25);
}

TEST(Bca, EndsLieInTheDrawsAtTheGreatestAccelerationAndLevel) {
  Doubles draws(1000);
  Rng rng(3);
  for (double& draw : draws) draw = rng.normal() + 2;
  for (const double acceleration : {-1.0, 1.0}) {
    const BcaEnds ends = bca_interval(draws, acceleration, 0.999999);
    EXPECT_GE(ends.low, *std::min_element(draws.begin(), draws.end()));
    EXPECT_LE(ends.high, *std::max_element(draws.begin(), draws.end()));
    EXPECT_LE(ends.low, ends.high);
  }
}

}  // namespace
}  // namespace plumb
