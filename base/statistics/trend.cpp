#include "base/statistics/trend.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "base/error.h"
#include "base/statistics/summary.h"

namespace plumb {
namespace {

constexpr size_t kLargestExact = 10;

void require_pairs(std::span<const double> x, std::span<const double> y, size_t least,
                   const char* what) {
  if (x.size() != y.size() || x.size() < least)
    throw Error(ErrorKind::kInvariant, text(what, " got ", x.size(), " x and ", y.size(),
                                            " y; needed are as many of each, at least ", least));
  for (size_t i = 0; i < x.size(); ++i)
    if (!std::isfinite(x[i]) || !std::isfinite(y[i]))
      throw Error(ErrorKind::kInvariant, text("point ", i, " of ", what, " is (", x[i], ", ", y[i],
                                              "); needed are finite numbers"));
}

int sign(double value) { return (value > 0) - (value < 0); }

/// Sizes of the groups of equal values.
std::vector<double> tie_groups(std::span<const double> values) {
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  std::vector<double> sizes;
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (i == 0 || sorted[i] != sorted[i - 1]) sizes.push_back(0);
    sizes.back() += 1;
  }
  return sizes;
}

template <typename Term>
double sum_over(const std::vector<double>& groups, Term term) {
  double sum = 0;
  for (const double t : groups) sum += term(t);
  return sum;
}

double pairs(double t) { return t * (t - 1); }
double triples(double t) { return t * (t - 1) * (t - 2); }
double weighted_pairs(double t) { return t * (t - 1) * (2 * t + 5); }

/// Variance of S when nothing trends, with ties in x and in y (Kendall 1970, chapter 4).
double variance_of_s(std::span<const double> x, std::span<const double> y) {
  const auto n = static_cast<double>(x.size());
  const auto in_x = tie_groups(x), in_y = tie_groups(y);
  const double main_term =
      (weighted_pairs(n) - sum_over(in_x, weighted_pairs) - sum_over(in_y, weighted_pairs)) / 18;
  const double of_pairs = sum_over(in_x, pairs) * sum_over(in_y, pairs) / (2 * pairs(n));
  const double of_triples = sum_over(in_x, triples) * sum_over(in_y, triples) / (9 * triples(n));
  return main_term + of_pairs + of_triples;
}

/// P(S <= s) for n distinct values in random order. S = n(n-1)/2 - 2 I, where I is the number of
/// inversions; the counts of permutations by inversions are products of 1 + q + ... + q^(k-1)
/// (Mahonian numbers). n <= 10: all exact.
double exact_cdf(size_t n, int64_t s) {
  std::vector<double> permutations{1};
  for (size_t k = 2; k <= n; ++k) {
    std::vector<double> next(permutations.size() + k - 1, 0);
    for (size_t i = 0; i < permutations.size(); ++i)
      for (size_t j = 0; j < k; ++j) next[i + j] += permutations[i];
    permutations.swap(next);
  }
  const auto largest = static_cast<int64_t>(n * (n - 1) / 2);
  double below = 0, all = 0;
  for (size_t i = 0; i < permutations.size(); ++i) {
    all += permutations[i];
    if (largest - 2 * static_cast<int64_t>(i) <= s) below += permutations[i];
  }
  return below / all;
}

/// All slopes between points of different x, sorted.
std::vector<double> pairwise_slopes(std::span<const double> x, std::span<const double> y) {
  std::vector<double> slopes;
  for (size_t i = 0; i < x.size(); ++i)
    for (size_t j = i + 1; j < x.size(); ++j)
      if (x[i] != x[j]) slopes.push_back((y[j] - y[i]) / (x[j] - x[i]));
  std::sort(slopes.begin(), slopes.end());
  return slopes;
}

}  // namespace

TrendTest mann_kendall(std::span<const double> x, std::span<const double> y) {
  require_pairs(x, y, 3, "a trend test");
  int64_t s = 0;
  bool ties = false;
  for (size_t i = 0; i < x.size(); ++i)
    for (size_t j = i + 1; j < x.size(); ++j) {
      const int concordance = sign(x[j] - x[i]) * sign(y[j] - y[i]);
      ties = ties || concordance == 0;
      s += concordance;
    }
  TrendTest test{.s = static_cast<double>(s)};
  const double spread = std::sqrt(std::max(0.0, variance_of_s(x, y)));
  if (spread > 0) test.z = (test.s - sign(test.s)) / spread;
  test.exact = !ties && x.size() <= kLargestExact;
  if (test.exact) {
    test.p_falling = exact_cdf(x.size(), s);
    test.p_rising = exact_cdf(x.size(), -s);  // the distribution is symmetric
  } else if (spread > 0) {
    test.p_falling = normal_cdf((test.s + 1) / spread);
    test.p_rising = normal_cdf(-(test.s - 1) / spread);
  }
  return test;
}

SlopeEstimate theil_sen(std::span<const double> x, std::span<const double> y, double level) {
  require_pairs(x, y, 2, "a Theil-Sen slope");
  if (!(level > 0 && level < 1))
    throw Error(ErrorKind::kInvariant, text("a level of ", level, "; needed is a share in (0, 1)"));
  const std::vector<double> slopes = pairwise_slopes(x, y);
  if (slopes.empty())
    throw Error(ErrorKind::kInvariant,
                text("all ", x.size(), " points of a slope have x = ", x[0]));
  SlopeEstimate estimate;
  estimate.slope = median(slopes);
  std::vector<double> offsets(x.size());
  for (size_t i = 0; i < x.size(); ++i) offsets[i] = y[i] - estimate.slope * x[i];
  estimate.intercept = median(offsets);

  // Sen 1968: the ranks of the limits follow from the normal approximation of S, which drops its
  // terms of both ties.
  const auto n = static_cast<double>(x.size());
  const double main_term = weighted_pairs(n) - sum_over(tie_groups(x), weighted_pairs) -
                           sum_over(tie_groups(y), weighted_pairs);
  const double half_width =
      normal_quantile(0.5 + level / 2) * std::sqrt(std::max(0.0, main_term) / 18);
  const auto count = static_cast<double>(slopes.size());
  const double low = std::max(0.0, std::nearbyint((count - half_width) / 2) - 1);
  const double high = std::min(count - 1, std::nearbyint((count + half_width) / 2));
  estimate.interval = {slopes[static_cast<size_t>(low)], slopes[static_cast<size_t>(high)], level,
                       text("Sen, ", x.size(), " points")};
  return estimate;
}

}  // namespace plumb
