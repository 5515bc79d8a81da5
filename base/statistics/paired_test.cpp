#include "base/statistics/paired.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/rng.h"
#include "base/statistics/golden_statistics.h"
#include "base/testing.h"

namespace plumb {
namespace {

using testing::error_of;
using testing::golden_statistics;

constexpr double kClose = 1e-12;  // binomial tails in two libraries

PairedCounts counts_of(const nlohmann::ordered_json& four) {
  return {four[0], four[1], four[2], four[3]};
}

TEST(Paired, CountsWhoIsRight) {
  const std::vector<uint8_t> first = {1, 1, 1, 0, 0, 0, 1}, second = {1, 0, 0, 1, 0, 0, 1};
  const PairedCounts counts = count_pairs(first, second);
  EXPECT_EQ(counts.both, 2);
  EXPECT_EQ(counts.only_first, 2);
  EXPECT_EQ(counts.only_second, 1);
  EXPECT_EQ(counts.neither, 2);
  EXPECT_EQ(counts.questions(), 7);
  EXPECT_EQ(counts.discordant(), 3);
}

TEST(McNemar, EqualsStatsmodelsAndScipys) {
  for (const auto& entry : golden_statistics()["paired"]) {
    const PairedCounts counts = counts_of(entry["counts"]);
    EXPECT_NEAR(mcnemar_p(counts, McNemar::kExact), entry["exact"].get<double>(), kClose);
    EXPECT_NEAR(mcnemar_p(counts), entry["mid_p"].get<double>(), kClose);
    if (entry.contains("chi_square")) {
      EXPECT_NEAR(mcnemar_p(counts, McNemar::kChiSquare), entry["chi_square"].get<double>(),
                  kClose);
    } else if (counts.discordant() > 0) {
      EXPECT_EQ(error_of([&] { mcnemar_p(counts, McNemar::kChiSquare); }).kind(),
                ErrorKind::kInvariant);
    }
  }
}

// Fagerland, Lydersen and Laake 2013, BMC Medical Research Methodology 13:91: airway
// hyper-responsiveness before and after a transplantation (Bentur 2009), and complete response
// before and after a therapy (Cavo 2012).
TEST(McNemar, EqualsFagerlandsWorkedExamples) {
  const PairedCounts airway{1, 1, 7, 12}, response{59, 6, 16, 80};
  EXPECT_NEAR(mcnemar_p(airway, McNemar::kExact), 0.070, 5e-4);
  EXPECT_NEAR(mcnemar_p(airway), 0.039, 5e-4);
  EXPECT_NEAR(mcnemar_p(response, McNemar::kExact), 0.052479, 5e-7);
  EXPECT_NEAR(mcnemar_p(response), 0.034690, 5e-7);
}

TEST(McNemar, IsSymmetricAndIgnoresWhatBothAnswerAlike) {
  for (const McNemar variant : {McNemar::kMidP, McNemar::kExact, McNemar::kChiSquare}) {
    const double p = mcnemar_p({10, 21, 9, 60}, variant);
    EXPECT_EQ(mcnemar_p({0, 9, 21, 7000}, variant), p);
  }
  EXPECT_EQ(mcnemar_p({3, 0, 0, 2}), 1);
  EXPECT_EQ(mcnemar_p({3, 0, 0, 2}, McNemar::kChiSquare), 1);
}

TEST(McNemar, MidPLiesBetweenExactAndHalfOfIt) {
  for (int64_t b = 0; b <= 40; ++b)
    for (int64_t c = 0; c <= 40; ++c) {
      const PairedCounts counts{1, b, c, 1};
      const double exact = mcnemar_p(counts, McNemar::kExact), mid = mcnemar_p(counts);
      EXPECT_LE(mid, exact);
      EXPECT_GE(mid, exact / 2 - kClose);
    }
  // The least of all: every one of b answers differs the same way.
  EXPECT_NEAR(mcnemar_p({0, 20, 0, 0}, McNemar::kExact), std::ldexp(1, -19), 1e-18);
  EXPECT_NEAR(mcnemar_p({0, 20, 0, 0}), std::ldexp(1, -20), 1e-18);
}

// By enumeration, so without any Monte-Carlo error. Fagerland's finding: mid-p's level is near
// 5 % and barely above where it is at all, the exact test's far below.
TEST(McNemar, MidPHoldsItsLevel) {
  for (const double share : {0.02, 0.1, 0.3, 0.6}) {
    const int n = 100;
    double mid = 0, exact = 0;
    for (int m = 0; m <= n; ++m) {
      const double of_m =
          std::exp(std::lgamma(n + 1) - std::lgamma(m + 1) - std::lgamma(n - m + 1) +
                   m * std::log(share) + (n - m) * std::log1p(-share));
      for (int b = 0; b <= m; ++b) {
        const double of_b = std::exp(std::lgamma(m + 1) - std::lgamma(b + 1) -
                                     std::lgamma(m - b + 1) - m * std::log(2));
        const PairedCounts counts{0, b, m - b, n - m};
        mid += mcnemar_p(counts) <= 0.05 ? of_m * of_b : 0;
        exact += mcnemar_p(counts, McNemar::kExact) <= 0.05 ? of_m * of_b : 0;
      }
    }
    EXPECT_LE(mid, 0.0525) << share;
    EXPECT_LE(exact, 0.05) << share;
    EXPECT_LT(exact, mid) << share;
    EXPECT_GE(mid, share < 0.1 ? 0 : 0.035) << share;
  }
}

TEST(MinimumDetectableDifference, EqualsStatsmodelsPower) {
  for (const auto& entry : golden_statistics()["power"])
    // statsmodels adds the chance of a result on the wrong side, some 1e-6 of the power.
    EXPECT_NEAR(minimum_detectable_difference(entry["questions"], entry["discordant"]),
                entry["least"].get<double>(), 1e-5 * entry["least"].get<double>());
}

TEST(MinimumDetectableDifference, IsFoundAsOftenAsItSays) {
  const int64_t n = 1000;
  const double discordant = 0.1, least = minimum_detectable_difference(n, discordant);
  const int runs = 4000;
  int found = 0;
  for (int run = 0; run < runs; ++run) {
    Rng rng(5, static_cast<uint64_t>(run));
    PairedCounts counts{0, 0, 0, 0};
    for (int64_t i = 0; i < n; ++i) {
      const double u = rng.uniform();
      ++(u < (discordant + least) / 2 ? counts.only_first
         : u < discordant             ? counts.only_second
                                      : counts.both);
    }
    found += mcnemar_p(counts) <= 0.05;
  }
  // The formula's spread is that of no difference, a little above the real one: 80 to 83 %.
  EXPECT_NEAR(found, 0.815 * runs, (0.02 + 4 * std::sqrt(0.8 * 0.2 / runs)) * runs);
}

TEST(Paired, RefusesWhatIsNone) {
  const std::vector<uint8_t> three = {0, 1, 1}, two = {0, 1}, bad = {0, 1, 7}, none;
  const auto kind = [](auto action) { return error_of(action).kind(); };
  EXPECT_EQ(kind([&] { count_pairs(three, two); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { count_pairs(three, bad); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { count_pairs(none, none); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([] { mcnemar_p({0, 0, 0, 0}); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([] { mcnemar_p({5, -1, 0, 0}); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([] { minimum_detectable_difference(0, 0.1); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([] { minimum_detectable_difference(10, 0); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([] { minimum_detectable_difference(10, 0.1, 1); }), ErrorKind::kInvariant);
}

}  // namespace
}  // namespace plumb
