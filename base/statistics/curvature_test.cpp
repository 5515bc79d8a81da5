#include "base/statistics/curvature.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/rng.h"
#include "base/statistics/summary.h"
#include "base/testing.h"

namespace plumb {
namespace {

using Rows = std::vector<std::vector<double>>;
using testing::error_of;

const std::vector<double> kX = {0.1, 0.2, 0.35, 0.5, 0.6, 0.7, 0.8};

/// Losses along f(x), a level for each unit and noise at each point that grows with x.
template <typename F>
Rows curve(size_t units, uint64_t seed, F f) {
  Rng rng(seed, 5);
  Rows out(kX.size(), std::vector<double>(units));
  for (size_t u = 0; u < units; ++u) {
    const double level = rng.normal();
    for (size_t i = 0; i < kX.size(); ++i)
      out[i][u] = f(kX[i]) + level + 0.05 * (1 + kX[i]) * rng.normal();
  }
  return out;
}

TEST(Curvature, IsTheSecondDividedDifferenceOverItsStandardError) {
  const std::vector<double> x = {0, 1, 3};
  const Rows y = {{1, 2, 0}, {2, 5, 1}, {8, 6, 7}};
  // By hand: 2 ((y2 - y1) / 2 - (y1 - y0)) / 3 of each unit.
  const std::vector<double> by_hand = {4.0 / 3, -5.0 / 3, 4.0 / 3};
  const Curvature c = curvature(x, y, 100, 0);
  ASSERT_EQ(c.standardised.size(), 1u);
  EXPECT_NEAR(c.standardised[0], mean(by_hand) / std::sqrt(variance(by_hand) / 3), 1e-12);
  EXPECT_EQ(c.at, 1u);
}

TEST(Curvature, OfAStraightLineIsFoundAsOftenAsAlphaSays) {
  // 1,000 lines, 24 units: at a level of 5 % between 3.3 and 6.9 % with two and a half Monte-Carlo
  // errors; studentised resamples of so few units may be somewhat too careful.
  int found = 0;
  for (uint64_t run = 0; run < 1000; ++run)
    found += curvature(kX, curve(24, run, [](double x) { return 3 * x; }), 400, run).bends();
  EXPECT_LE(found, 69);
  EXPECT_GE(found, 15);
}

TEST(Curvature, FindsAJumpAndSaysWhere) {
  const auto jump = [](double x) { return 3 * x + (x > 0.55 ? 0.5 : 0.0); };
  int found = 0;
  for (uint64_t run = 0; run < 50; ++run) {
    const Curvature c = curvature(kX, curve(24, run, jump), 400, run);
    found += c.bends() && (c.at == 3 || c.at == 4) && c.p <= 0.05;
  }
  EXPECT_GE(found, 48);
}

TEST(Curvature, OfRoundingAloneIsNone) {
  Rows exact(kX.size());
  for (size_t i = 0; i < kX.size(); ++i)
    for (int unit = 0; unit < 20; ++unit) exact[i].push_back(0.1 * unit + kX[i] / 3);
  EXPECT_LT(curvature(kX, exact, 200, 0).largest, 1);
}

TEST(Curvature, RefusesWhatIsNoCurve) {
  const Rows good = curve(4, 1, [](double x) { return x; });
  const auto refused = [](std::span<const double> x, const Rows& y, double alpha = 0.05) {
    return error_of([&] { curvature(x, y, 10, 0, alpha); }).kind() == ErrorKind::kInvariant;
  };
  Rows ragged = good, infinite = good;
  ragged[2].pop_back();
  infinite[1][1] = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(refused(kX, ragged));
  EXPECT_TRUE(refused(kX, infinite));
  EXPECT_TRUE(refused(kX, good, 1));
  EXPECT_TRUE(refused(std::vector<double>{0, 1}, {{1, 2}, {1, 2}}));
  EXPECT_TRUE(refused(std::vector<double>{0, 1, 1}, {{1, 2}, {1, 2}, {1, 2}}));
}

}  // namespace
}  // namespace plumb
