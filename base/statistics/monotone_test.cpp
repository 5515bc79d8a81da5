#include "base/statistics/monotone.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/rng.h"
#include "base/statistics/golden_statistics.h"
#include "base/statistics/latent_answers_testing.h"
#include "base/testing.h"

namespace plumb {
namespace {

using testing::Doubles;
using testing::error_of;
using testing::golden_statistics;
using testing::latent_answers;

/// Answers whose counts at each point are given, the first questions being the right ones.
std::vector<uint8_t> answers_with(const std::vector<int64_t>& right, int64_t questions) {
  std::vector<uint8_t> out;
  for (int64_t q = 0; q < questions; ++q)
    for (const int64_t count : right) out.push_back(q < count);
  return out;
}

TEST(Isotonic, EqualsScipys) {
  for (const auto& entry : golden_statistics()["isotonic"]) {
    const auto shares = entry["shares"].get<Doubles>();
    const auto plain = isotonic_falling(shares, Doubles(shares.size(), 1));
    const auto weighted = isotonic_falling(shares, entry["weights"].get<Doubles>());
    for (size_t i = 0; i < shares.size(); ++i) {
      EXPECT_NEAR(plain[i], entry["fit"][i].get<double>(), 1e-14);
      EXPECT_NEAR(weighted[i], entry["weighted_fit"][i].get<double>(), 1e-14);
    }
  }
}

// The example of R's isoreg, from its documentation, turned to fall.
TEST(Isotonic, EqualsTheExampleOfRsIsoreg) {
  const auto fit = isotonic_falling(Doubles{0, 2, 4, 5, 3, 3, 4, 0, 1}, Doubles(9, 1));
  for (size_t i = 0; i < 9; ++i) EXPECT_DOUBLE_EQ(fit[i], i < 7 ? 3 : 0.5);
}

TEST(Isotonic, FallsKeepsTheMeanAndLeavesWhatFalls) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Rng rng(seed);
    Doubles y, w;
    for (size_t i = 0; i < 1 + rng.below(30); ++i) {
      y.push_back(rng.normal());
      w.push_back(0.1 + rng.uniform());
    }
    const auto fit = isotonic_falling(y, w);
    double sum = 0, weight = 0;
    for (size_t i = 0; i < y.size(); ++i) {
      sum += w[i] * (fit[i] - y[i]);
      weight += w[i] * std::abs(y[i]);
      EXPECT_LE(fit[i], i > 0 ? fit[i - 1] : fit[i]);
    }
    EXPECT_NEAR(sum, 0, 1e-14 * (1 + weight));
    EXPECT_EQ(isotonic_falling(fit, w), fit);
  }
}

TEST(FallingTest, StatisticEqualsScipysLikelihoods) {
  for (const auto& entry : golden_statistics()["isotonic"]) {
    const auto right = entry["right"].get<std::vector<int64_t>>();
    const auto rows = answers_with(right, entry["questions"]);
    const MonotoneTest test = falling_test({rows, static_cast<int64_t>(right.size())}, 10);
    // Differences of log-likelihoods of some thousands.
    EXPECT_NEAR(test.statistic, entry["statistic"].get<double>(), 1e-9);
    for (size_t i = 0; i < right.size(); ++i)
      EXPECT_NEAR(test.fit[i], entry["fit"][i].get<double>(), 1e-14);
  }
}

TEST(FallingTest, SeesNothingWhereAccuracyFallsOrStays) {
  const auto falling = answers_with({90, 80, 80, 10, 0}, 100);
  EXPECT_EQ(falling_test({falling, 5}, 50).statistic, 0);
  EXPECT_EQ(falling_test({falling, 5}, 50).p, 1);
}

TEST(FallingTest, SeesAClearRiseAfterAClearFall) {
  const auto rows = latent_answers(2000, {0.7, 0.65, 0.3, 0.45, 0.25}, 0.5, 1);
  const MonotoneTest test = falling_test({rows, 5}, 999);
  EXPECT_EQ(test.p, 0.001);
  EXPECT_EQ(test.fit[2], test.fit[3]);
  EXPECT_EQ(falling_test({rows, 5}, 999).p, test.p);  // a function of its arguments
}

/// How often the test of `runs` samples of 300 questions rejects at 5 %.
double rejections(const std::vector<double>& accuracy, double shared, int runs) {
  int rejected = 0;
  for (int run = 0; run < runs; ++run) {
    const auto rows = latent_answers(300, accuracy, shared, static_cast<uint64_t>(run));
    rejected += falling_test({rows, static_cast<int64_t>(accuracy.size())}, 199).p <= 0.05;
  }
  return static_cast<double>(rejected) / runs;
}

const std::vector<double> kFlat(8, 0.5);
const std::vector<double> kCollapse = {0.7, 0.7, 0.7, 0.7, 0.25, 0.25, 0.25, 0.25};
const std::vector<double> kSlope = {0.7, 0.66, 0.62, 0.58, 0.54, 0.5, 0.46, 0.42};

// Four Monte-Carlo errors about 5 %.
double margin(int runs) { return 4 * std::sqrt(0.05 * 0.95 / runs); }

// Flat is where a violation is likeliest.
TEST(FallingTest, HoldsItsLevelWherePointsShareTheirQuestions) {
  EXPECT_LE(rejections(kFlat, 0.8, 400), 0.05 + margin(400));
}

TEST(FallingTestLong, HoldsItsLevel) {
  for (const double shared : {0.0, 0.5, 0.9}) {
    for (const auto& accuracy : {kFlat, kCollapse, kSlope}) {
      const double share = rejections(accuracy, shared, 4000);
      EXPECT_LE(share, 0.055 + margin(4000)) << shared << " " << accuracy.back();
    }
    EXPECT_GE(rejections(kFlat, shared, 4000), 0.05 - margin(4000)) << shared;
  }
}

TEST(FallingTest, RefusesWhatIsNone) {
  const std::vector<uint8_t> rows = {0, 1};
  EXPECT_EQ(error_of([&] { falling_test({rows, 1}); }).kind(), ErrorKind::kInvariant);
  EXPECT_EQ(error_of([] { isotonic_falling(Doubles{1}, Doubles{}); }).kind(),
            ErrorKind::kInvariant);
  EXPECT_EQ(error_of([] { isotonic_falling(Doubles{1}, Doubles{0}); }).kind(),
            ErrorKind::kInvariant);
  EXPECT_TRUE(isotonic_falling({}, {}).empty());
}

}  // namespace
}  // namespace plumb
