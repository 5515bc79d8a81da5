#include "base/statistics/bootstrap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <thread>

#include "base/rng.h"
#include "base/statistics/golden_statistics.h"
#include "base/statistics/resample_counts.h"
#include "base/statistics/summary.h"
#include "base/testing.h"

namespace plumb {
namespace {

using testing::Doubles;
using testing::error_of;
using testing::golden_statistics;

Doubles normals(size_t n, uint64_t seed) {
  Rng rng(seed);
  Doubles out(n);
  for (double& value : out) value = rng.normal();
  return out;
}

TEST(BootstrapMean, EqualsScipysBcaWithinTheErrorOfTwoGenerators) {
  const auto draws = golden_statistics()["scipy_draws"].get<int64_t>();
  for (const auto& entry : golden_statistics()["bca"]) {
    const auto x = entry["samples"].get<Doubles>();
    const Interval found = bootstrap_mean(x, {.draws = draws});
    // In standard errors of the mean: an end moves by sqrt(.025 * .975 / draws) / density(1.96)
    // = 2.67 / sqrt(draws) with the draws near it and by 2 sd(z0) = 2 * .5 / density(0) /
    // sqrt(draws) = 2.51 / sqrt(draws) with the bias; two generators: times sqrt(2); five of these.
    // A skewed tail is thinner: half as much again. The mean of few discrete samples moves in steps
    // besides.
    const double standard_error = std::sqrt(variance(x) / static_cast<double>(x.size()));
    const double monte_carlo =
        1.5 * 5 * std::sqrt(2 * (2.67 * 2.67 + 2.51 * 2.51) / static_cast<double>(draws)) *
        standard_error;
    const double step = entry["shape"] == "bernoulli" ? 1.0 / static_cast<double>(x.size()) : 0.0;
    EXPECT_NEAR(found.low, entry["whole"]["low"].get<double>(), monte_carlo + step)
        << entry["shape"];
    EXPECT_NEAR(found.high, entry["whole"]["high"].get<double>(), monte_carlo + step)
        << entry["shape"];
  }
}

TEST(BootstrapMean, SaysHowItWasMade) {
  EXPECT_EQ(bootstrap_mean(normals(9, 1)).method, "BCa by document, 10000 draws, seed 0");
  EXPECT_EQ(bootstrap_mean(normals(9, 1), {.draws = 99, .seed = 4, .unit = "question"}).method,
            "BCa by question, 99 draws, seed 4");
}

TEST(BootstrapMean, IsThePointForOneSampleAndForEqualOnes) {
  const Interval one = bootstrap_mean(Doubles{2.5});
  EXPECT_EQ(one.low, 2.5);
  EXPECT_EQ(one.high, 2.5);
  EXPECT_EQ(one.method, "none: one document");
  const Interval equal = bootstrap_mean(Doubles{0.1, 0.1, 0.1});
  EXPECT_EQ(equal.low, 0.1);
  EXPECT_EQ(equal.high, 0.1);
  EXPECT_EQ(equal.method, "none: every document is equal");
}

TEST(BootstrapMean, IsAPureFunctionOfSamplesSeedAndDraws) {
  const Doubles x = normals(40, 2);
  const Interval first = bootstrap_mean(x);
  for (size_t n = 30; n < 39; ++n) bootstrap_mean(normals(n, n));  // other tables push its own out
  const Interval again = bootstrap_mean(x);
  EXPECT_EQ(first.low, again.low);
  EXPECT_EQ(first.high, again.high);
  EXPECT_NE(first.low, bootstrap_mean(x, {.seed = 1}).low);
}

TEST(BootstrapMean, GivesTheSameFromSeveralThreads) {
  std::vector<Interval> found(8);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < found.size(); ++i)
    threads.emplace_back(
        [&, i] { found[i] = bootstrap_mean(normals(20 + i % 6, i % 6), {.draws = 2000}); });
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < found.size(); ++i)
    EXPECT_EQ(found[i].low, bootstrap_mean(normals(20 + i % 6, i % 6), {.draws = 2000}).low);
}

class BootstrapOverSeeds : public ::testing::TestWithParam<uint64_t> {};  // parameter: seed

TEST_P(BootstrapOverSeeds, FollowsShiftAndScale) {
  const Doubles x = normals(25, GetParam());
  Doubles moved = x;
  for (double& value : moved)
    value = 4 * value + 1024;  // scale exact; the sum rounds at 1024's last place
  const Interval plain = bootstrap_mean(x), other = bootstrap_mean(moved);
  EXPECT_NEAR(other.low, 4 * plain.low + 1024, 1e-11);
  EXPECT_NEAR(other.high, 4 * plain.high + 1024, 1e-11);
}

TEST_P(BootstrapOverSeeds, ContainsTheMean) {
  const Doubles x = normals(12, GetParam());
  const Interval interval = bootstrap_mean(x);
  EXPECT_LT(interval.low, mean(x));
  EXPECT_GT(interval.high, mean(x));
}

TEST_P(BootstrapOverSeeds, DifferenceIsTheIntervalOfTheDifferences) {
  const Doubles a = normals(30, GetParam()), b = normals(30, GetParam() + 100);
  Doubles d(a.size());
  std::transform(a.begin(), a.end(), b.begin(), d.begin(), std::minus<>());
  const Interval found = bootstrap_difference(a, b), expected = bootstrap_mean(d);
  EXPECT_EQ(found.low, expected.low);
  EXPECT_EQ(found.high, expected.high);
}
INSTANTIATE_TEST_SUITE_P(Seeds, BootstrapOverSeeds, ::testing::Range<uint64_t>(0, 20));

TEST(BootstrapMean, RefusesWhatItCannotUse) {
  EXPECT_EQ(error_of([] { bootstrap_mean({}); }).kind(), ErrorKind::kInvariant);
  EXPECT_EQ(error_of([] {
              bootstrap_mean(Doubles{1, std::nan("")});
            }).kind(),
            ErrorKind::kInvariant);
  EXPECT_EQ(error_of([] {
              bootstrap_mean(Doubles{1, 2}, {.draws = 0});
            }).kind(),
            ErrorKind::kInvariant);
  EXPECT_EQ(error_of([] {
              bootstrap_mean(Doubles{1, 2}, {.level = 1});
            }).kind(),
            ErrorKind::kInvariant);
  EXPECT_EQ(error_of([] {
              bootstrap_difference(Doubles{1, 2}, Doubles{1});
            }).kind(),
            ErrorKind::kInvariant);
  EXPECT_EQ(error_of([] {
              bootstrap_mean(Doubles{1, 2}, Doubles{1});
            }).kind(),
            ErrorKind::kInvariant);
  EXPECT_EQ(error_of([] {
              bootstrap_mean(Doubles{1, 2}, Doubles{1, -1});
            }).kind(),
            ErrorKind::kInvariant);
}

TEST(BootstrapMean, WidensByThePositionErrorsThatItIsTold) {
  const Doubles x = normals(50, 3);
  const Doubles zero(50, 0.0), some(50, 3.0);
  EXPECT_EQ(bootstrap_mean(x, zero).low, bootstrap_mean(x).low);
  // Variances add: (1 * 49/50 + 3) / 50 against 1 * 49/50 / 50 of these samples. Both widths have a
  // relative Monte-Carlo error of about 3.7 / (2 * 1.96) / sqrt(10000) = 1 %; five of them, twice.
  const Interval plain = bootstrap_mean(x), wide = bootstrap_mean(x, some);
  const double spread = variance(x) * 49 / 50;
  EXPECT_NEAR((wide.high - wide.low) / (plain.high - plain.low), std::sqrt((spread + 3) / spread),
              0.1 * std::sqrt((spread + 3) / spread));
  EXPECT_EQ(wide.method, "BCa by document, 10000 draws, seed 0, with position errors");
}

TEST(BootstrapMean, GivesOneUnitWithAPositionErrorTheNormalInterval) {
  const Interval interval = bootstrap_mean(Doubles{7}, Doubles{4}, {.draws = 100000});
  // 1.96 * 2 either side; an end's Monte-Carlo error is 3.7 * 2 / sqrt(100000), five of them.
  EXPECT_NEAR(interval.low, 7 - 3.92, 0.12);
  EXPECT_NEAR(interval.high, 7 + 3.92, 0.12);
}

TEST(BootstrapP, IsTheShareOfResamplesNotAboveZeroWithOneAdded) {
  EXPECT_EQ(bootstrap_p_not_above_zero(Doubles{1, 2, 3}, {.draws = 999}), 1.0 / 1000);
  EXPECT_EQ(bootstrap_p_not_above_zero(Doubles{-1, -2, 0}, {.draws = 999}), 1.0);
  // {-1, 1}: the mean is -1, 0, 1 with 1/4, 1/2, 1/4; five errors of sqrt(3/16 / 10000).
  EXPECT_NEAR(bootstrap_p_not_above_zero(Doubles{-1, 1}), 0.75, 5 * 0.00433);
}

TEST(Resample, DependsOnItsNumberAndPicksEveryUnitEquallyOften) {
  std::vector<int64_t> once, again;
  resample(50, 9, 3, once);
  resample(50, 9, 4, again);
  EXPECT_NE(once, again);
  resample(50, 9, 3, again);
  EXPECT_EQ(once, again);
  std::vector<int> counts(50, 0);
  for (uint64_t draw = 0; draw < 2000; ++draw) {
    resample(50, 9, draw, once);
    for (const int64_t unit : once) ++counts[static_cast<size_t>(unit)];
  }
  // Each count is binomial(100000, 1/50): mean 2000, deviation 44.3; five of them over 50 units.
  for (const int count : counts) EXPECT_NEAR(count, 2000, 222);
  EXPECT_EQ(error_of([&] { resample(0, 0, 0, once); }).kind(), ErrorKind::kInvariant);
}

TEST(ResampledSums, AreTheSumsOverEachResample) {
  for (const size_t n : {1u, 2u, 63u, 700u}) {
    const Doubles x = normals(n, n);
    const int64_t draws = 2500;  // no multiple of the chunk
    const Doubles sums = resampled_sums(x, draws, 5);
    std::vector<int64_t> picked;
    for (int64_t draw = 0; draw < draws; draw += 37) {
      resample(static_cast<int64_t>(n), 5, static_cast<uint64_t>(draw), picked);
      double expected = 0;
      for (const int64_t unit : picked) expected += x[static_cast<size_t>(unit)];
      // Another order: at most n roundings of partial sums, which stay below 4 n.
      EXPECT_NEAR(sums[static_cast<size_t>(draw)], expected,
                  2.3e-16 * static_cast<double>(4 * n * n));
    }
  }
}

TEST(ResampledSums, NeedNoTableForManyUnits) {
  const Doubles ones(70000, 1.0);  // more than 16-bit counts allow
  for (const double sum : resampled_sums(ones, 3, 0)) EXPECT_EQ(sum, 70000);
}

}  // namespace
}  // namespace plumb
