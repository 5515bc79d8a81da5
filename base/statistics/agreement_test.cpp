#include "base/statistics/agreement.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/rng.h"
#include "base/statistics/simultaneous.h"
#include "base/testing.h"

namespace plumb {
namespace {

using testing::error_of;

TEST(Agreement, IsTheTextbooksOnNumbersByHand) {
  // a = 1 2 3 4, b = 2 2 4 4: differences 1 0 1 0; means 2.5 and 3, variances 1.25 and 1, covariance 1.
  const std::vector<double> a = {1, 2, 3, 4}, b = {2, 2, 4, 4};
  const Agreement found = agreement(a, b);
  EXPECT_DOUBLE_EQ(found.rmse, std::sqrt(0.5));
  EXPECT_DOUBLE_EQ(found.concordance, 2 * 1.0 / (1.25 + 1 + 0.25));
  EXPECT_DOUBLE_EQ(found.largest, 1);
}

TEST(Agreement, IsWholeForEqualCurvesAndLessForShiftedOrScaledOnes) {
  const std::vector<double> a = {0.2, 0.5, 0.9, 0.4};
  std::vector<double> shifted = a, scaled = a, reversed = a;
  for (double& value : shifted) value += 0.3;
  for (double& value : scaled) value *= 2;
  for (double& value : reversed) value = -value;
  EXPECT_DOUBLE_EQ(agreement(a, a).concordance, 1);
  EXPECT_EQ(agreement(a, a).rmse, 0);
  EXPECT_LT(agreement(a, shifted).concordance, 0.7);
  EXPECT_LT(agreement(a, scaled).concordance, 0.8);
  EXPECT_LT(agreement(a, reversed).concordance, 0);
  EXPECT_DOUBLE_EQ(agreement(a, shifted).concordance, agreement(shifted, a).concordance);
}

TEST(Agreement, InterpolatesBetweenNeighboursAndRefusesBeyondThem) {
  const std::vector<double> xs = {0, 0.25, 1}, ys = {1, 3, 0};
  EXPECT_EQ(interpolated(xs, ys, 0), 1);
  EXPECT_EQ(interpolated(xs, ys, 0.25), 3);
  EXPECT_DOUBLE_EQ(interpolated(xs, ys, 0.125), 2);
  EXPECT_DOUBLE_EQ(interpolated(xs, ys, 0.625), 1.5);
  EXPECT_EQ(error_of([&] { interpolated(xs, ys, 1.01); }).kind(), ErrorKind::kInvariant);
  EXPECT_EQ(error_of([&] { agreement(xs, {}); }).kind(), ErrorKind::kInvariant);
}

std::vector<std::vector<double>> curve(Rng& noise, size_t points, size_t units, double shared) {
  std::vector<std::vector<double>> samples(points, std::vector<double>(units));
  for (size_t u = 0; u < units; ++u) {
    const double common = noise.normal();
    for (size_t p = 0; p < points; ++p)
      samples[p][u] = shared * common + std::sqrt(1 - shared * shared) * noise.normal();
  }
  return samples;
}

// 1,000 curves of 12 points whose means are 0: the band misses one of them in 5 % of the cases. With 40 units the bootstrap
// of a studentised maximum is near its level; 3.5 standard errors of 1,000 cases are 2.4 %.
TEST(SimultaneousBand, HoldsTheWholeCurveAsOftenAsItSays) {
  for (const double shared : {0.0, 0.9}) {
    int missed = 0;
    for (uint64_t seed = 0; seed < 1000; ++seed) {
      Rng noise(7, seed);
      const auto band = simultaneous_band(curve(noise, 12, 40, shared), 400, seed);
      bool inside = true;
      for (size_t p = 0; p < band.mean.size(); ++p)
        inside = inside && band.low(p) <= 0 && band.high(p) >= 0;
      missed += !inside;
    }
    EXPECT_NEAR(missed / 1000.0, 0.05, 0.024) << "shared " << shared;
  }
}

TEST(SimultaneousBand, IsWiderForMorePointsAndNarrowerForOnesThatShareTheirNoise) {
  Rng noise(3);
  const auto apart = curve(noise, 20, 60, 0.0), together = curve(noise, 20, 60, 0.99);
  const std::vector<std::vector<double>> one(apart.begin(), apart.begin() + 1);
  EXPECT_GT(simultaneous_band(apart, 2000, 1).factor, simultaneous_band(one, 2000, 1).factor + 0.5);
  EXPECT_LT(simultaneous_band(together, 2000, 1).factor,
            simultaneous_band(apart, 2000, 1).factor - 0.3);
}

TEST(SimultaneousBand, LetsAPointWithoutSpreadSayNothing) {
  const std::vector<std::vector<double>> samples = {
      {1, 1, 1, 1}, {0, 1, 0, 1}, {0.3, 0.3, 0.3, 0.3}};
  const auto band = simultaneous_band(samples, 500, 0);
  EXPECT_EQ(band.error[0], 0);
  EXPECT_EQ(band.low(0), 1);
  EXPECT_EQ(band.error[2], 0);
  EXPECT_GT(band.factor, 0);
  EXPECT_EQ(simultaneous_band({{2, 2}}, 10, 0).factor, 0);
  EXPECT_EQ(error_of([&] {
              simultaneous_band({{1, 2}, {1}}, 10, 0);
            }).kind(),
            ErrorKind::kInvariant);
}

}  // namespace
}  // namespace plumb
