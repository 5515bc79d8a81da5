// How often the intervals of accuracies and of their paired differences hold the truth, at a
// nominal 95 %: exact sums over all outcomes where they can be enumerated, else simulations.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "base/rng.h"
#include "base/statistics/paired_difference.h"
#include "base/statistics/proportion.h"

namespace plumb {
namespace {

/// log(n! / (a! b! (n - a - b)!)).
double log_ways(int64_t n, int64_t a, int64_t b = 0) {
  const auto log_factorial = [](int64_t k) { return std::lgamma(static_cast<double>(k) + 1); };
  return log_factorial(n) - log_factorial(a) - log_factorial(b) - log_factorial(n - a - b);
}

/// p^k with 0^0 = 1, as a logarithm.
double log_power(double p, int64_t k) { return k == 0 ? 0 : static_cast<double>(k) * std::log(p); }

using Method = std::function<Interval(int64_t right, int64_t questions)>;
std::vector<Interval> all_intervals(int64_t n, const Method& method) {
  std::vector<Interval> out;
  for (int64_t right = 0; right <= n; ++right) out.push_back(method(right, n));
  return out;
}

double coverage(const std::vector<Interval>& intervals, double p) {
  const auto n = static_cast<int64_t>(intervals.size()) - 1;
  double covered = 0;
  for (int64_t right = 0; right <= n; ++right) {
    const Interval& interval = intervals[static_cast<size_t>(right)];
    if (interval.low <= p && p <= interval.high)
      covered += std::exp(log_ways(n, right) + log_power(p, right) + log_power(1 - p, n - right));
  }
  return covered;
}

Interval wilson(int64_t right, int64_t n) { return wilson_interval(right, n); }
Interval exact(int64_t right, int64_t n) { return exact_interval(right, n); }
Interval chosen(int64_t right, int64_t n) { return accuracy_interval(right, n); }

// Sums of a thousand terms that are each good to some 1e-13.
constexpr double kSumError = 1e-9;

TEST(AccuracyCoverage, OfExactIntervalsIsNeverBelowTheirLevel) {
  for (const int64_t n : {100, 1000}) {
    const auto intervals = all_intervals(n, exact);
    for (const double p : {0.25, 0.5, 0.95}) EXPECT_GE(coverage(intervals, p), 0.95 - kSumError);
  }
}

TEST(AccuracyCoverage, OfWilsonsIsWithinOneAndAHalfPointsBelowAndTwoAndAHalfAbove) {
  for (const int64_t n : {100, 1000}) {
    const auto intervals = all_intervals(n, wilson);
    for (const double p : {0.25, 0.5, 0.95}) {
      const double share = coverage(intervals, p);
      EXPECT_GE(share, 0.935) << n << " " << p;
      EXPECT_LE(share, 0.975) << n << " " << p;
    }
  }
}

TEST(AccuracyCoverageLong, OfExactIntervalsIsNeverBelowTheirLevelForAnyAccuracy) {
  for (const int64_t n : {1, 2, 7, 20, 99, 100, 400, 1000}) {
    const auto intervals = all_intervals(n, exact);
    for (int k = 1; k < 1000; ++k)
      EXPECT_GE(coverage(intervals, k / 1000.0), 0.95 - kSumError) << n << " " << k;
  }
}

// Known shortfall: Wilson's coverage jumps with the accuracy. The least over a grid of 999 accuracies
// is 92.7 % of 100 questions, 93.2 % of 400 and 93.1 % of 1,000; exact intervals never fall short.
TEST(AccuracyCoverageLong, OfTheChosenIntervalStaysNearItsLevelForAnyAccuracy) {
  for (const int64_t n : {20, 99, 100, 400, 1000}) {
    const auto intervals = all_intervals(n, chosen);
    double least = 1;
    for (int k = 1; k < 1000; ++k) least = std::min(least, coverage(intervals, k / 1000.0));
    EXPECT_GE(least, n < 100 ? 0.95 - kSumError : 0.927) << n;
  }
}

/// Chances that only the first, or only the second, is right.
struct Pair {
  double only_first, only_second;
  double difference() const { return only_first - only_second; }
};
/// Of an accuracy p where the second loses a share of what was right and gains one of what was not.
Pair pair_of(double p, double lost, double gained) { return {p * lost, (1 - p) * gained}; }

/// Over all numbers of discordant pairs that have a probability above 1e-12.
double tango_coverage(int64_t n, const Pair& pair) {
  double covered = 0, all = 0;
  for (int64_t b = 0; b <= n; ++b)
    for (int64_t c = 0; b + c <= n; ++c) {
      const double chance = std::exp(log_ways(n, b, c) + log_power(pair.only_first, b) +
                                     log_power(pair.only_second, c) +
                                     log_power(1 - pair.only_first - pair.only_second, n - b - c));
      if (chance < 1e-12) continue;
      all += chance;
      const Interval interval = difference_interval(paired_evidence({n - b - c, b, c, 0}));
      if (interval.low <= pair.difference() && pair.difference() <= interval.high)
        covered += chance;
    }
  EXPECT_NEAR(all, 1, 1e-6);
  return covered;
}

TEST(AccuracyCoverage, OfTangosIntervalIsNearItsLevel) {
  for (const int64_t n : {100, 1000})
    for (const double p : {0.25, 0.5, 0.95})
      for (const auto& [lost, gained] : {std::pair{0.1, 0.1}, {0.3, 0.1}, {0.3, 0.3}}) {
        const double share = tango_coverage(n, pair_of(p, lost, gained));
        EXPECT_GE(share, 0.93) << n << " " << p << " " << lost << " " << gained;
        EXPECT_LE(share, 0.97) << n << " " << p << " " << lost << " " << gained;
      }
}

/// Sizes of clusters that sum to n.
std::vector<int64_t> passages(int64_t n) {  // as BoolQ's: most have one or two questions
  const std::vector<int64_t> pattern = {1, 1, 2, 1, 3, 1, 1, 2, 4, 1};
  std::vector<int64_t> sizes;
  for (int64_t sum = 0; sum < n; sum += sizes.back())
    sizes.push_back(std::min(pattern[sizes.size() % pattern.size()], n - sum));
  return sizes;
}
std::vector<int64_t> equal_clusters(int64_t n, int64_t clusters) {
  return std::vector<int64_t>(static_cast<size_t>(clusters), n / clusters);
}

std::vector<int64_t> subjects(int64_t n) {  // 57, the largest 15 times the least, as MMLU's
  std::vector<int64_t> sizes;
  for (int s = 0; s < 57; ++s)
    sizes.push_back(std::max<int64_t>(1, n *
                                             (s < 30   ? 10
                                              : s < 50 ? 25
                                              : s < 56 ? 50
                                                       : 150) /
                                             1250));
  return sizes;
}

/// Questions of a cluster answer alike: with probability sqrt(correlation) a question takes its
/// cluster's outcome, else one of its own, which makes that correlation between any two.
struct Clustered {
  std::vector<int64_t> sizes;
  double correlation;

  /// Calls set(question, cluster, u) with uniform u.
  template <typename Set>
  void draw(uint64_t run, Set set) const {
    Rng rng(31, run);
    size_t question = 0;
    for (size_t c = 0; c < sizes.size(); ++c) {
      const double shared = rng.uniform();
      for (int64_t k = 0; k < sizes[c]; ++k) {
        const double own = rng.uniform();
        const bool takes = rng.uniform() < std::sqrt(correlation);
        set(question++, static_cast<int64_t>(c), takes ? shared : own);
      }
    }
  }
  size_t questions() const {
    int64_t sum = 0;
    for (const int64_t size : sizes) sum += size;
    return static_cast<size_t>(sum);
  }
};

double clustered_coverage(const Clustered& model, double p, int runs) {
  std::vector<uint8_t> right(model.questions());
  std::vector<int64_t> cluster(right.size());
  int covered = 0;
  for (int run = 0; run < runs; ++run) {
    model.draw(static_cast<uint64_t>(run), [&](size_t question, int64_t c, double u) {
      right[question] = u < p;
      cluster[question] = c;
    });
    const Interval interval = clustered_accuracy_interval(right, cluster);
    covered += interval.low <= p && p <= interval.high;
  }
  return static_cast<double>(covered) / runs;
}

double clustered_tango_coverage(const Clustered& model, const Pair& pair, int runs) {
  std::vector<uint8_t> first(model.questions()), second(first.size());
  std::vector<int64_t> cluster(first.size());
  int covered = 0;
  for (int run = 0; run < runs; ++run) {
    model.draw(static_cast<uint64_t>(run), [&](size_t question, int64_t c, double u) {
      first[question] = u < pair.only_first;
      second[question] = u >= 1 - pair.only_second;
      cluster[question] = c;
    });
    const Interval interval =
        difference_interval(clustered_paired_evidence(first, second, cluster));
    covered += interval.low <= pair.difference() && pair.difference() <= interval.high;
  }
  return static_cast<double>(covered) / runs;
}

// Four Monte-Carlo errors of a share near 95 %.
double margin(int runs) { return 4 * std::sqrt(0.95 * 0.05 / runs); }

void expect_near_level(double share, int runs, const std::string& what) {
  EXPECT_GE(share, 0.93 - margin(runs)) << what;
  EXPECT_LE(share, 0.97 + margin(runs)) << what;
}

std::string name_of(int64_t n, double p, double correlation) {
  return std::to_string(n) + " questions, " + std::to_string(p) + ", correlation " +
         std::to_string(correlation);
}

TEST(AccuracyCoverage, OfClusteredIntervalsIsNearTheirLevel) {
  const Clustered model{passages(100), 0.3};
  for (const double p : {0.25, 0.5, 0.95})
    expect_near_level(clustered_coverage(model, p, 4000), 4000, name_of(100, p, 0.3));
}

TEST(AccuracyCoverageLong, OfClusteredIntervalsIsNearTheirLevel) {
  for (const int64_t n : {100, 1000})
    for (const double correlation : {0.0, 0.1, 0.3})
      for (const double p : {0.25, 0.5, 0.95}) {
        expect_near_level(clustered_coverage({passages(n), correlation}, p, 10000), 10000,
                          "passages " + name_of(n, p, correlation));
        if (p > 0.9) continue;  // the next test's
        for (const auto& sizes : {equal_clusters(n, 10), subjects(n)})
          expect_near_level(
              clustered_coverage({sizes, correlation}, p, 10000), 10000,
              std::to_string(sizes.size()) + " clusters " + name_of(n, p, correlation));
      }
}

// Known shortfall: where nearly all is right and few clusters hold what is wrong, a sample often
// has none of these clusters and shows no sign of them.
TEST(AccuracyCoverageLong, OfClusteredIntervalsFallsShortOrBeyondWithFewClustersNearAllRight) {
  struct Case {
    std::vector<int64_t> sizes;
    double correlation, share;
  };
  for (const auto& [sizes, correlation, share] :
       {Case{equal_clusters(100, 10), 0.1, 0.980}, Case{equal_clusters(100, 10), 0.3, 0.980},
        Case{equal_clusters(1000, 10), 0.1, 0.662}, Case{equal_clusters(1000, 10), 0.3, 0.402},
        Case{subjects(1000), 0.1, 0.893}, Case{subjects(1000), 0.3, 0.830}}) {
    const double found = clustered_coverage({sizes, correlation}, 0.95, 10000);
    EXPECT_NEAR(found, share, 0.02) << sizes.size() << " clusters, correlation " << correlation;
  }
}

TEST(AccuracyCoverage, OfClusteredPairedDifferencesIsNearTheirLevel) {
  const Clustered model{passages(100), 0.3};
  expect_near_level(clustered_tango_coverage(model, pair_of(0.5, 0.3, 0.1), 4000), 4000, "0.5");
}

TEST(AccuracyCoverageLong, OfClusteredPairedDifferencesIsNearTheirLevel) {
  for (const int64_t n : {100, 1000})
    for (const double correlation : {0.0, 0.1, 0.3})
      for (const double p : {0.25, 0.5, 0.95})
        for (const auto& [lost, gained] : {std::pair{0.1, 0.1}, {0.3, 0.1}}) {
          const Clustered model{passages(n), correlation};
          expect_near_level(clustered_tango_coverage(model, pair_of(p, lost, gained), 10000), 10000,
                            name_of(n, p, correlation) + ", lost " + std::to_string(lost));
        }
}

}  // namespace
}  // namespace plumb
