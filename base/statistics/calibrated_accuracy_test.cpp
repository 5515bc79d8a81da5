#include "base/statistics/calibrated_accuracy.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/rng.h"
#include "base/statistics/golden_statistics.h"
#include "base/testing.h"

namespace plumb {
namespace {

using testing::error_of;
using testing::golden_statistics;
using Bytes = std::vector<uint8_t>;

TEST(CalibratedAccuracy, EqualsScipysWithinTheMonteCarloErrorOfBoth) {
  for (const auto& entry : golden_statistics()["calibrated"]) {
    const auto found = calibrated_accuracy(entry["right"].get<Bytes>(), entry["whole"].get<Bytes>(),
                                           0.25, {.draws = 100000});
    EXPECT_NEAR(found->value, entry["value"].get<double>(), 1e-12);
    // A 2.5 % quantile of 100,000 draws is off by sqrt(0.025 * 0.975 / 1e5) / density = 0.009
    // standard deviations, and its bias correction by as much: 4 times 0.012 of a width of 3.9.
    const double width = entry["high"].get<double>() - entry["low"].get<double>();
    EXPECT_NEAR(found->interval->low, entry["low"].get<double>(), 0.0125 * width);
    EXPECT_NEAR(found->interval->high, entry["high"].get<double>(), 0.0125 * width);
  }
}

TEST(CalibratedAccuracy, OfTheWholeModelItselfIsOneWithoutAnyError) {
  const Bytes whole = {1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1};
  const auto found = calibrated_accuracy(whole, whole, 0.25, {.draws = 200});
  EXPECT_EQ(found->value, 1);
  EXPECT_DOUBLE_EQ(found->interval->low, 1);
  EXPECT_DOUBLE_EQ(found->interval->high, 1);
}

TEST(CalibratedAccuracy, IsNoneWhereTheWholeModelGuesses) {
  const Bytes guesses = {1, 0, 0, 0, 1, 0, 0, 0};
  EXPECT_FALSE(calibrated_accuracy(guesses, guesses, 0.25).has_value());
  const Bytes barely = {1, 0, 0, 0, 1, 1, 0, 0};
  const auto found = calibrated_accuracy(guesses, barely, 0.25);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->value, 0);
  EXPECT_FALSE(found->interval.has_value());  // some resample has it guess
}

TEST(CalibratedAccuracy, RefusesWhatIsNone) {
  const Bytes three = {1, 0, 1}, two = {1, 0}, bad = {1, 0, 2}, none;
  const auto kind = [](auto action) { return error_of(action).kind(); };
  EXPECT_EQ(kind([&] { calibrated_accuracy(three, two, 0.25); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { calibrated_accuracy(bad, three, 0.25); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { calibrated_accuracy(none, none, 0.25); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { calibrated_accuracy(three, three, 1); }), ErrorKind::kInvariant);
}

/// How often the interval of two correlated models holds the true ratio.
double coverage(int questions, int runs) {
  const double truth = (0.45 - 0.25) / (0.65 - 0.25);
  int covered = 0;
  for (int run = 0; run < runs; ++run) {
    Rng rng(8, static_cast<uint64_t>(run));
    Bytes right, whole;
    for (int q = 0; q < questions; ++q) {
      const double u = rng.uniform();
      whole.push_back(u < 0.65);
      right.push_back(rng.uniform() < 0.6 ? u < 0.45 : rng.uniform() < 0.45);
    }
    const auto found = calibrated_accuracy(right, whole, 0.25, {.draws = 1000});
    covered += found->interval && found->interval->low <= truth && truth <= found->interval->high;
  }
  return static_cast<double>(covered) / runs;
}

TEST(CalibratedAccuracyLong, IntervalHoldsTheTruthAboutAsOftenAsItSays) {
  const int runs = 4000;
  const double margin = 4 * std::sqrt(0.95 * 0.05 / runs);
  for (const int questions : {200, 1000}) {
    const double share = coverage(questions, runs);
    EXPECT_GE(share, 0.93 - margin) << questions;
    EXPECT_LE(share, 0.97 + margin) << questions;
  }
}

}  // namespace
}  // namespace plumb
