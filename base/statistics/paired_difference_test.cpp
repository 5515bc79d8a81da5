#include "base/statistics/paired_difference.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "base/statistics/golden_statistics.h"
#include "base/statistics/summary.h"
#include "base/testing.h"

namespace plumb {
namespace {

using testing::error_of;
using testing::golden_statistics;

// The reference finds the likelihood's maximum and the ends as roots, each to some 1e-13.
constexpr double kClose = 1e-10;

PairedEvidence evidence_of(const nlohmann::ordered_json& four) {
  return paired_evidence(PairedCounts{four[0], four[1], four[2], four[3]});
}

TEST(PairedDifference, EqualsTheScoreOfANumericallyMaximisedLikelihood) {
  for (const auto& entry : golden_statistics()["paired"]) {
    const PairedEvidence evidence = evidence_of(entry["counts"]);
    for (const auto& [level, ends] : entry["tango"].items()) {
      const Interval interval = difference_interval(evidence, std::stod(level));
      EXPECT_NEAR(interval.low, ends[0].get<double>(), kClose) << entry.dump();
      EXPECT_NEAR(interval.high, ends[1].get<double>(), kClose) << entry.dump();
    }
    for (const auto& [margin, p] : entry["not_worse"].items())
      EXPECT_NEAR(non_inferiority(evidence, std::stod(margin)).p, p.get<double>(), kClose);
    for (const auto& [margin, p] : entry["not_better"].items())
      EXPECT_NEAR(equivalence(evidence, std::stod(margin)).p,
                  std::max(p.get<double>(), entry["not_worse"][margin].get<double>()), kClose);
  }
}

// Fagerland, Lydersen and Laake 2014, Statistics in Medicine 33:2850, as the R package
// contingencytables prints it for the response before and after a therapy: -0.1240 to -0.0054.
TEST(PairedDifference, EqualsFagerlandsWorkedExample) {
  const PairedEvidence evidence = paired_evidence({59, 6, 16, 80});
  EXPECT_NEAR(evidence.difference(), -0.0621, 5e-5);
  EXPECT_NEAR(difference_interval(evidence).low, -0.1240, 5e-5);
  EXPECT_NEAR(difference_interval(evidence).high, -0.0054, 5e-5);
}

TEST(PairedDifference, WithoutDiscordantPairsHasAClosedForm) {
  const double z = normal_quantile(0.975);
  for (const int64_t n : {1, 10, 200, 14042}) {
    const Interval interval = difference_interval(paired_evidence({n / 2, 0, 0, n - n / 2}));
    const double end = z * z / (static_cast<double>(n) + z * z);
    EXPECT_NEAR(interval.high, end, 1e-12);
    EXPECT_NEAR(interval.low, -end, 1e-12);
  }
}

TEST(PairedDifference, IsMirroredWhereTheModelsAreSwapped) {
  for (const auto& entry : golden_statistics()["paired"]) {
    const auto& four = entry["counts"];
    const Interval one = difference_interval(evidence_of(four));
    const Interval other =
        difference_interval(paired_evidence(PairedCounts{four[0], four[2], four[1], four[3]}));
    EXPECT_NEAR(one.low, -other.high, 1e-15);
    EXPECT_NEAR(one.high, -other.low, 1e-15);
  }
}

TEST(PairedDifference, LiesInTheRangeAndAroundTheDifferenceForAllSmallCounts) {
  for (int64_t n = 1; n <= 12; ++n)
    for (int64_t b = 0; b <= n; ++b)
      for (int64_t c = 0; b + c <= n; ++c) {
        const PairedEvidence evidence = paired_evidence({n - b - c, b, c, 0});
        const Interval interval = difference_interval(evidence);
        EXPECT_GE(interval.low, -1);
        EXPECT_LE(interval.low, evidence.difference());
        EXPECT_GE(interval.high, evidence.difference());
        EXPECT_LE(interval.high, 1);
        EXPECT_LT(interval.low, interval.high) << n << " " << b << " " << c;
      }
  EXPECT_EQ(difference_interval(paired_evidence({0, 5, 0, 0})).high, 1);
  EXPECT_EQ(difference_interval(paired_evidence({0, 0, 5, 0})).low, -1);
}

TEST(PairedDifference, IsThePlainIntervalForManyQuestions) {
  const PairedEvidence evidence = paired_evidence({60000, 9000, 8000, 23000});
  const Interval interval = difference_interval(evidence);
  // The score's spread is that at the end, not at the estimate: relatively about z / sqrt(b + c).
  const double half = normal_quantile(0.975) * evidence.standard_error;
  EXPECT_NEAR(interval.low, evidence.difference() - half, 0.015 * half);
  EXPECT_NEAR(interval.high, evidence.difference() + half, 0.015 * half);
}

TEST(NonInferiority, IsShownExactlyWhereTheLowerBoundIsAboveTheMargin) {
  for (int64_t b = 0; b <= 30; b += 3)
    for (int64_t c = 0; c <= 30; ++c) {
      const PairedEvidence evidence = paired_evidence({400 - b - c, b, c, 100});
      const NonInferiority found = non_inferiority(evidence, 0.02);
      EXPECT_EQ(found.shown, found.lower_bound > -0.02) << b << " " << c;
      const Equivalence alike = equivalence(evidence, 0.02);
      EXPECT_EQ(alike.shown, alike.interval.low > -0.02 && alike.interval.high < 0.02);
      EXPECT_GE(alike.p, found.p);
      EXPECT_EQ(alike.interval.low, found.lower_bound);
    }
}

TEST(NonInferiority, NeedsEnoughQuestionsEvenWhereNothingDiffers) {
  EXPECT_FALSE(non_inferiority(paired_evidence({50, 0, 0, 50}), 0.02).shown);  // 100 questions
  EXPECT_TRUE(non_inferiority(paired_evidence({70, 0, 0, 70}), 0.02).shown);
  EXPECT_FALSE(equivalence(paired_evidence({70, 0, 40, 10000}), 0.001).shown);
}

TEST(PairedDifference, ClusteredEqualsStatsmodelsErrorAndTheScore) {
  for (const auto& entry : golden_statistics()["clusters"]) {
    const PairedEvidence evidence = clustered_paired_evidence(
        entry["first"].get<std::vector<uint8_t>>(), entry["second"].get<std::vector<uint8_t>>(),
        entry["cluster"].get<std::vector<int64_t>>());
    EXPECT_NEAR(evidence.difference(), entry["difference"].get<double>(), 1e-12);
    EXPECT_NEAR(evidence.standard_error, entry["paired_error"].get<double>(), 1e-12);
    EXPECT_NEAR(evidence.degrees_of_freedom, entry["degrees"].get<double>(), 1e-9);
    const Interval interval = difference_interval(evidence);
    EXPECT_NEAR(interval.low, entry["tango"][0].get<double>(), kClose);
    EXPECT_NEAR(interval.high, entry["tango"][1].get<double>(), kClose);
  }
}

TEST(PairedDifference, ClustersWithoutAnyDifferenceCountOnce) {
  std::vector<uint8_t> same(300);
  std::vector<int64_t> cluster(same.size());
  for (size_t i = 0; i < same.size(); ++i) {
    same[i] = i % 2 == 0;
    cluster[i] = static_cast<int64_t>(i / 5);
  }
  const PairedEvidence evidence = clustered_paired_evidence(same, same, cluster);
  EXPECT_EQ(evidence.questions, 60);
  const double t = t_quantile(0.975, 59);
  EXPECT_NEAR(difference_interval(evidence).high, t * t / (60 + t * t), 1e-12);
}

TEST(PairedDifference, RefusesWhatIsNone) {
  const PairedEvidence evidence = paired_evidence({5, 1, 1, 5});
  const auto kind = [](auto action) { return error_of(action).kind(); };
  EXPECT_EQ(kind([] { paired_evidence({0, 0, 0, 0}); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { difference_interval(evidence, 1); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { non_inferiority(evidence, 0); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { non_inferiority(evidence, 1); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { equivalence(evidence, 0.1, 0.5); }), ErrorKind::kInvariant);
}

}  // namespace
}  // namespace plumb
