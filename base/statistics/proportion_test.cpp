#include "base/statistics/proportion.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/statistics/clusters.h"
#include "base/statistics/golden_statistics.h"
#include "base/testing.h"

namespace plumb {
namespace {

using testing::Doubles;
using testing::error_of;
using testing::golden_statistics;

// Closed forms and incomplete beta functions in two libraries: some hundred units in the last place.
constexpr double kClose = 1e-12;

TEST(Proportion, EqualsStatsmodelsAndScipys) {
  for (const auto& entry : golden_statistics()["proportion"]) {
    const int64_t right = entry["right"], questions = entry["questions"];
    const double level = entry["level"];
    const Interval wilson = wilson_interval(right, questions, level);
    const Interval exact = exact_interval(right, questions, level);
    EXPECT_NEAR(wilson.low, entry["wilson"][0].get<double>(), kClose) << entry.dump();
    EXPECT_NEAR(wilson.high, entry["wilson"][1].get<double>(), kClose) << entry.dump();
    EXPECT_NEAR(exact.low, entry["exact"][0].get<double>(), kClose) << entry.dump();
    EXPECT_NEAR(exact.high, entry["exact"][1].get<double>(), kClose) << entry.dump();
    for (const auto& [chance, p] : entry["p_not_above"].items())
      EXPECT_NEAR(p_not_above_chance(right, questions, std::stod(chance)), p.get<double>(), kClose)
          << entry.dump();
  }
}

// Newcombe 1998, Statistics in Medicine 17:857, table I, methods 3 and 5: four decimals are given.
TEST(Proportion, EqualsNewcombesWorkedExamples) {
  struct Example {
    int64_t right, questions;
    double wilson[2], exact[2];
  };
  for (const auto& [right, questions, wilson, exact] :
       {Example{81, 263, {.2553, .3662}, {.2527, .3676}},
        Example{15, 148, {.0624, .1605}, {.0578, .1617}},
        Example{0, 20, {.0000, .1611}, {.0000, .1684}},
        Example{1, 29, {.0061, .1718}, {.0009, .1776}}}) {
    EXPECT_NEAR(wilson_interval(right, questions).low, wilson[0], 5e-5);
    EXPECT_NEAR(wilson_interval(right, questions).high, wilson[1], 5e-5);
    EXPECT_NEAR(exact_interval(right, questions).low, exact[0], 5e-5);
    EXPECT_NEAR(exact_interval(right, questions).high, exact[1], 5e-5);
  }
}

TEST(Proportion, TakesTheExactIntervalForFewQuestionsAndNearNoneOrAll) {
  const auto method = [](int64_t right, int64_t questions) {
    const std::string name = accuracy_interval(right, questions).method;
    return name.substr(0, name.find(','));
  };
  EXPECT_EQ(method(50, 99), "Clopper-Pearson");
  EXPECT_EQ(method(50, 100), "Wilson");
  EXPECT_EQ(method(4, 1000), "Clopper-Pearson");
  EXPECT_EQ(method(5, 1000), "Wilson");
  EXPECT_EQ(method(995, 1000), "Wilson");
  EXPECT_EQ(method(996, 1000), "Clopper-Pearson");
  EXPECT_EQ(accuracy_interval(50, 100).low, wilson_interval(50, 100).low);
}

TEST(Proportion, IsTheSameForWrongAnswersMirrored) {
  for (const int64_t right : {0, 1, 7, 50, 100, 101})
    for (const auto interval : {wilson_interval, exact_interval}) {
      const Interval of_right = interval(right, 101, 0.9),
                     of_wrong = interval(101 - right, 101, 0.9);
      EXPECT_NEAR(of_right.low, 1 - of_wrong.high, kClose);
      EXPECT_NEAR(of_right.high, 1 - of_wrong.low, kClose);
    }
}

// The exact test and the exact interval are one statement: the one-sided 97.5 % bound is the
// chance at which p is 2.5 %.
TEST(Proportion, ChanceAtTheExactLowerBoundHasThePOfTheTail) {
  for (const int64_t right : {1, 30, 77, 120})
    EXPECT_NEAR(p_not_above_chance(right, 120, exact_interval(right, 120).low), 0.025, 1e-10);
  EXPECT_EQ(p_not_above_chance(0, 10, 0.25), 1);
  EXPECT_EQ(p_not_above_chance(0, 10, 0), 1);
  EXPECT_EQ(p_not_above_chance(1, 10, 0), 0);  // what cannot be guessed is known
  EXPECT_NEAR(p_not_above_chance(10, 10, 0.25), std::pow(0.25, 10), 1e-18);
}

TEST(Proportion, ClusteredEqualsStatsmodelsErrorAndWilsonsFormula) {
  for (const auto& entry : golden_statistics()["clusters"]) {
    const auto first = entry["first"].get<std::vector<uint8_t>>();
    const auto cluster = entry["cluster"].get<std::vector<int64_t>>();
    const ClusteredMean found = clustered_mean(Doubles(first.begin(), first.end()), cluster);
    EXPECT_NEAR(found.mean, entry["mean"].get<double>(), kClose);
    EXPECT_NEAR(found.standard_error, entry["error"].get<double>(), kClose);
    EXPECT_NEAR(found.degrees_of_freedom, entry["degrees"].get<double>(), kClose);
    const Interval interval = clustered_accuracy_interval(first, cluster);
    // The quantile of t is good to some 1e-12 in either library.
    EXPECT_NEAR(interval.low, entry["low"].get<double>(), 1e-10);
    EXPECT_NEAR(interval.high, entry["high"].get<double>(), 1e-10);
  }
}

TEST(Proportion, ClustersOfOneQuestionHaveTheErrorOfIndependentOnes) {
  std::vector<uint8_t> right(400, 0);
  std::vector<int64_t> cluster(right.size());
  for (size_t i = 0; i < right.size(); ++i) {
    right[i] = i % 3 == 0;
    cluster[i] = -static_cast<int64_t>(7 * i);
  }
  const double p = 134.0 / 400;
  const ClusteredMean found = clustered_mean(Doubles(right.begin(), right.end()), cluster);
  EXPECT_EQ(found.clusters, 400);
  EXPECT_NEAR(found.standard_error, std::sqrt(p * (1 - p) / 399), kClose);
  EXPECT_NEAR(found.degrees_of_freedom, 399, 1e-9);
}

TEST(Proportion, CountsAClusterOnceWhereItsQuestionsAgree) {
  std::vector<uint8_t> right;
  std::vector<int64_t> cluster;
  for (int64_t c = 0; c < 60; ++c)
    for (int k = 0; k < 20; ++k) {
      right.push_back(c % 2 == 0);
      cluster.push_back(c);
    }
  const Interval many = clustered_accuracy_interval(right, cluster);
  const Interval few = wilson_interval(30, 60);  // with z for t and without C / (C - 1)
  EXPECT_NEAR(many.high - many.low, few.high - few.low, 0.02 * (few.high - few.low) + 0.005);
  const std::vector<uint8_t> all(right.size(), 1);
  EXPECT_EQ(clustered_accuracy_interval(all, cluster).high, 1);
  EXPECT_LT(clustered_accuracy_interval(all, cluster).low, wilson_interval(60, 60).low);
}

TEST(Proportion, RefusesWhatIsNone) {
  const auto kind = [](auto action) { return error_of(action).kind(); };
  EXPECT_EQ(kind([] { wilson_interval(0, 0); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([] { exact_interval(3, 2); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([] { exact_interval(-1, 2); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([] { wilson_interval(1, 2, 1); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([] { p_not_above_chance(1, 2, -0.1); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([] { p_not_above_chance(1, 2, 1); }), ErrorKind::kInvariant);
  const std::vector<uint8_t> right = {0, 1, 1}, bad = {0, 2, 1};
  const std::vector<int64_t> cluster = {0, 1, 1}, one = {4, 4, 4}, shorter = {0, 1};
  EXPECT_STREQ(error_of([&] { clustered_accuracy_interval(bad, cluster); }).what(),
               "answer 1 is 2; needed is 0 or 1");
  EXPECT_EQ(kind([&] { clustered_accuracy_interval(right, one); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { clustered_accuracy_interval(right, shorter); }), ErrorKind::kInvariant);
}

}  // namespace
}  // namespace plumb
