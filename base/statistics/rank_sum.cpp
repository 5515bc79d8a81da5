#include "base/statistics/rank_sum.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/statistics/summary.h"

namespace plumb {
namespace {

constexpr size_t kMostExactPairs = 400;

void require_sample(std::span<const double> sample, const char* which) {
  if (sample.empty())
    throw Error(ErrorKind::kInvariant, text("a rank-sum test got no values of sample ", which));
  for (const double value : sample)
    if (!std::isfinite(value))
      throw Error(ErrorKind::kInvariant,
                  text("a value of a rank-sum test is ", value, "; needed are finite numbers"));
}

/// Of both samples together: sum of t^3 - t over the groups of t equal values, and whether there is any.
double tie_term(std::span<const double> a, std::span<const double> b) {
  std::vector<double> all(a.begin(), a.end());
  all.insert(all.end(), b.begin(), b.end());
  std::sort(all.begin(), all.end());
  double sum = 0;
  for (size_t begin = 0, end = 0; begin < all.size(); begin = end) {
    while (end < all.size() && all[end] == all[begin]) ++end;
    const auto t = static_cast<double>(end - begin);
    sum += t * t * t - t;
  }
  return sum;
}

/// Number of orders of a and b values in which U is 0, 1, ..., a b: the coefficients of Gauss' binomial. At most 400 pairs:
/// C(40, 20) < 2^53, so all are exact.
std::vector<double> orders_by_u(size_t a, size_t b) {
  // counts[i][u] for i values of a and the values of b so far: f(i, j) = f(i - 1, j) shifted by j, and f(i, j - 1).
  std::vector<std::vector<double>> counts(a + 1, std::vector<double>(a * b + 1, 0));
  for (auto& row : counts) row[0] = 1;  // no value of b
  for (size_t j = 1; j <= b; ++j)
    for (size_t i = 1; i <= a; ++i)
      for (size_t u = i * j; u >= j; --u) counts[i][u] += counts[i - 1][u - j];
  return counts[a];
}

/// P(U <= u), for u = 0, 1, ...
std::vector<double> exact_distribution(size_t a, size_t b) {
  std::vector<double> out = orders_by_u(a, b);
  double all = 0;
  for (double& value : out) value = all += value;
  for (double& value : out) value /= all;
  return out;
}

/// Standard deviation of U where neither sample tends to be greater.
double deviation_of_u(double a, double b, double ties) {
  const double n = a + b;
  return std::sqrt(std::max(0.0, a * b / 12 * (n + 1 - (n < 2 ? 0 : ties / (n * (n - 1))))));
}

}  // namespace

RankSumTest mann_whitney(std::span<const double> a, std::span<const double> b) {
  require_sample(a, "a");
  require_sample(b, "b");
  RankSumTest test;
  for (const double x : a)
    for (const double y : b) test.u += x > y ? 1.0 : x == y ? 0.5 : 0.0;
  const double ties = tie_term(a, b);
  const size_t pairs = a.size() * b.size();
  test.exact = ties == 0 && pairs <= kMostExactPairs;
  if (test.exact) {
    const std::vector<double> below = exact_distribution(a.size(), b.size());
    const auto u = static_cast<size_t>(std::llround(test.u));
    test.p_less = below[u];
    test.p_greater = below[pairs - u];  // the distribution is symmetric
  } else {
    const double spread =
        deviation_of_u(static_cast<double>(a.size()), static_cast<double>(b.size()), ties);
    if (spread == 0) return test;  // all values are equal
    const double centred = test.u - static_cast<double>(pairs) / 2;
    test.p_less = normal_cdf((centred + 0.5) / spread);
    test.p_greater = normal_cdf(-(centred - 0.5) / spread);
  }
  test.p_two_sided = std::min(1.0, 2 * std::min(test.p_less, test.p_greater));
  return test;
}

double least_rank_sum_p(int64_t a, int64_t b) {
  if (a < 1 || b < 1)
    throw Error(ErrorKind::kInvariant, text("samples of ", a, " and ", b, " values"));
  double p = 1;
  for (int64_t k = 1; k <= std::min(a, b); ++k)
    p *= static_cast<double>(k) / static_cast<double>(std::max(a, b) + k);
  return p;
}

ShiftEstimate hodges_lehmann(std::span<const double> a, std::span<const double> b, double level) {
  require_sample(a, "a");
  require_sample(b, "b");
  if (!(level > 0 && level < 1))
    throw Error(ErrorKind::kInvariant, text("a level of ", level, "; needed is a share in (0, 1)"));
  std::vector<double> differences;
  differences.reserve(a.size() * b.size());
  for (const double x : a)
    for (const double y : b) differences.push_back(x - y);
  std::sort(differences.begin(), differences.end());
  ShiftEstimate out{.shift = median(differences), .interval = {}};

  // The interval leaves out `skip` differences at each end: the largest number with P(U < skip) <= (1 - level) / 2.
  const double tail = (1 - level) / 2;
  const size_t pairs = differences.size();
  const bool exact = pairs <= kMostExactPairs;
  size_t skip = 0;
  if (exact) {
    const std::vector<double> below = exact_distribution(a.size(), b.size());
    while (skip < pairs && below[skip] <= tail) ++skip;
  } else {
    const double spread =
        deviation_of_u(static_cast<double>(a.size()), static_cast<double>(b.size()), 0);
    const double rank = static_cast<double>(pairs) / 2 + normal_quantile(tail) * spread + 0.5;
    skip = static_cast<size_t>(std::max(0.0, std::floor(rank)));
  }
  if (skip == 0) return out;
  out.interval = Interval{differences[skip - 1], differences[pairs - skip], level,
                          text("Hodges-Lehmann, ", exact ? "exact" : "normal", ", ", a.size(),
                               " and ", b.size(), " values")};
  return out;
}

}  // namespace plumb
