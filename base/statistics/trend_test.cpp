#include "base/statistics/trend.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/rng.h"
#include "base/statistics/golden_statistics.h"
#include "base/statistics/summary.h"
#include "base/testing.h"

namespace plumb {
namespace {

using testing::Doubles;
using testing::error_of;
using testing::golden_statistics;

// Counts and cubes are exact in doubles; what remains is the normal distribution in two libraries
// and one division.
constexpr double kClose = 1e-12;

TEST(MannKendall, EqualsPymannkendall) {
  int compared = 0;
  for (const auto& entry : golden_statistics()["trend"]) {
    if (!entry.contains("mann_kendall")) continue;
    const auto& expected = entry["mann_kendall"];
    const TrendTest test = mann_kendall(entry["x"].get<Doubles>(), entry["y"].get<Doubles>());
    EXPECT_EQ(test.s, expected["s"].get<double>());
    EXPECT_NEAR(test.z, expected["z"].get<double>(), kClose);
    EXPECT_NEAR(2 * (1 - normal_cdf(std::abs(test.z))), expected["p_two_sided"].get<double>(),
                kClose);
    ++compared;
  }
  EXPECT_GE(compared, 8);
}

TEST(MannKendall, EqualsScipysExactKendallTestForFewPoints) {
  int compared = 0;
  for (const auto& entry : golden_statistics()["trend"]) {
    const TrendTest test = mann_kendall(entry["x"].get<Doubles>(), entry["y"].get<Doubles>());
    EXPECT_EQ(test.exact, entry.contains("kendall_exact"));
    if (!test.exact) continue;
    EXPECT_NEAR(test.p_falling, entry["kendall_exact"]["less"].get<double>(), kClose);
    EXPECT_NEAR(test.p_rising, entry["kendall_exact"]["greater"].get<double>(), kClose);
    ++compared;
  }
  EXPECT_GE(compared, 4);
}

TEST(MannKendall, EqualsScipysAsymptoticTestWithTiesOnBothSides) {
  int compared = 0;
  for (const auto& entry : golden_statistics()["trend"]) {
    const TrendTest test = mann_kendall(entry["x"].get<Doubles>(), entry["y"].get<Doubles>());
    if (test.exact || test.s == 0) continue;
    // scipy takes no continuity correction: z without it is s / (s - sign s) times ours.
    const double plain = test.z * test.s / (test.s - (test.s > 0 ? 1 : -1));
    EXPECT_NEAR(normal_cdf(plain), entry["kendall_asymptotic_p_less"].get<double>(), kClose);
    ++compared;
  }
  EXPECT_GE(compared, 4);
}

TEST(MannKendall, ExactTailsAreTheSharesOfAllOrders) {
  for (const size_t n : {3u, 4u, 6u}) {
    Doubles x(n), order(n);
    std::iota(x.begin(), x.end(), 0.0);
    std::iota(order.begin(), order.end(), 0.0);
    std::vector<TrendTest> tests;
    do tests.push_back(mann_kendall(x, order));
    while (std::next_permutation(order.begin(), order.end()));
    const auto all = static_cast<double>(tests.size());
    for (const TrendTest& test : tests) {
      const auto falling =
          std::count_if(tests.begin(), tests.end(), [&](const auto& t) { return t.s <= test.s; });
      const auto rising =
          std::count_if(tests.begin(), tests.end(), [&](const auto& t) { return t.s >= test.s; });
      EXPECT_DOUBLE_EQ(test.p_falling, static_cast<double>(falling) / all);
      EXPECT_DOUBLE_EQ(test.p_rising, static_cast<double>(rising) / all);
    }
  }
}

TEST(MannKendall, FiveFallingPointsHaveOneOrderOfAllForThem) {
  const TrendTest test = mann_kendall(Doubles{0, 1, 2, 3, 4}, Doubles{9, 7, 6, 2, 1});
  EXPECT_EQ(test.s, -10);
  EXPECT_DOUBLE_EQ(test.p_falling, 1.0 / 120);
  EXPECT_DOUBLE_EQ(test.p_rising, 1);
}

TEST(MannKendall, DoesNotDependOnTheOrderOfThePoints) {
  const TrendTest sorted = mann_kendall(Doubles{1, 2, 3, 4}, Doubles{5, 3, 4, 1});
  const TrendTest shuffled = mann_kendall(Doubles{3, 1, 4, 2}, Doubles{4, 5, 1, 3});
  EXPECT_EQ(sorted.s, shuffled.s);
  EXPECT_EQ(sorted.p_falling, shuffled.p_falling);
}

TEST(MannKendall, ShowsNoTrendWhereAllIsEqual) {
  const TrendTest test = mann_kendall(Doubles{1, 2, 3, 4}, Doubles{7, 7, 7, 7});
  EXPECT_EQ(test.s, 0);
  EXPECT_EQ(test.z, 0);
  EXPECT_EQ(test.p_falling, 1);
  EXPECT_EQ(test.p_rising, 1);
  EXPECT_FALSE(test.exact);
}

TEST(MannKendall, RefusesTooFewPointsAndOnesThatAreNoNumbers) {
  EXPECT_EQ(error_of([] {
              mann_kendall(Doubles{1, 2}, Doubles{1, 2});
            }).kind(),
            ErrorKind::kInvariant);
  EXPECT_EQ(error_of([] {
              mann_kendall(Doubles{1, 2, 3}, Doubles{1, 2});
            }).kind(),
            ErrorKind::kInvariant);
  EXPECT_EQ(error_of([] {
              mann_kendall(Doubles{1, 2, 3}, Doubles{1, 2, std::nan("")});
            }).kind(),
            ErrorKind::kInvariant);
}

TEST(TheilSen, EqualsScipys) {
  for (const auto& entry : golden_statistics()["trend"]) {
    const auto& expected = entry["theil_sen"];
    const SlopeEstimate found = theil_sen(entry["x"].get<Doubles>(), entry["y"].get<Doubles>());
    EXPECT_NEAR(found.slope, expected["slope"].get<double>(), kClose);
    EXPECT_NEAR(found.intercept, expected["intercept"].get<double>(), kClose);
    EXPECT_NEAR(found.interval.low, expected["low"].get<double>(), kClose);
    EXPECT_NEAR(found.interval.high, expected["high"].get<double>(), kClose);
  }
}

TEST(TheilSen, IsExactOnALineAndUnmovedByOneOutlier) {
  Doubles x, y;
  for (int i = 0; i < 15; ++i) {
    x.push_back(i);
    y.push_back(4 - 0.5 * i);  // exact in doubles
  }
  y[7] = 1000;
  const SlopeEstimate found = theil_sen(x, y);
  EXPECT_EQ(found.slope, -0.5);
  EXPECT_EQ(found.intercept, 4);
}

TEST(TheilSen, IntervalCoversTheSlopeAboutAsOftenAsItSays) {
  constexpr int kRuns = 2000;
  int covered = 0;
  for (uint64_t run = 0; run < kRuns; ++run) {
    Rng rng(11, run);
    Doubles x, y;
    for (int i = 0; i < 20; ++i) {
      x.push_back(i);
      y.push_back(0.3 * i + rng.normal());
    }
    const Interval interval = theil_sen(x, y).interval;
    covered += interval.low <= 0.3 && 0.3 <= interval.high;
  }
  // S is discrete and scipy's ranks, which are kept, round outwards: at least 95 % less five
  // Monte-Carlo errors.
  EXPECT_GE(covered, 0.95 * kRuns - 5 * std::sqrt(0.95 * 0.05 * kRuns));
  EXPECT_LE(covered, 0.985 * kRuns);
}

TEST(TheilSen, RefusesPointsThatStandAboveEachOther) {
  EXPECT_EQ(error_of([] {
              theil_sen(Doubles{2, 2, 2}, Doubles{1, 2, 3});
            }).kind(),
            ErrorKind::kInvariant);
  EXPECT_EQ(error_of([] {
              theil_sen(Doubles{1, 2}, Doubles{1, 2}, 1.0);
            }).kind(),
            ErrorKind::kInvariant);
}

}  // namespace
}  // namespace plumb
