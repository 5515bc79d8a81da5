#include "base/statistics/tail.h"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/statistics/summary.h"

namespace plumb {

namespace {
constexpr double kConfidence = 0.95;
}

int64_t least_samples_for_percentile(double p) {
  if (!(p > 0 && p < 1))
    throw Error(ErrorKind::kInvariant, text("percentile ", p, " is not between 0 and 1"));
  return static_cast<int64_t>(std::ceil(std::log(1 - kConfidence) / std::log(p)));
}

TailPercentile tail_percentile(std::span<const double> samples, double p) {
  const int64_t least = least_samples_for_percentile(p);
  const auto n = std::ssize(samples);
  TailPercentile out;
  if (n < least) {
    out.reason = text("n/a: ", n, " samples, at least ", least, " are needed for a bound of p",
                      std::lround(100 * p));
    return out;
  }
  std::vector<double> sorted(samples.begin(), samples.end());
  std::sort(sorted.begin(), sorted.end());
  const boost::math::binomial_distribution<double> below(static_cast<double>(n), p);
  int64_t high = 1, low = 0;
  while (high < n && cdf(below, static_cast<double>(high - 1)) < kConfidence) ++high;
  // The k-th smallest is a lower bound where P(Bin(n, p) >= k) >= 0.95.
  while (low < n && cdf(complement(below, static_cast<double>(low))) >= kConfidence) ++low;
  out.value = percentile(samples, p);
  out.high = sorted[static_cast<size_t>(high - 1)];
  out.low = sorted[static_cast<size_t>(std::max<int64_t>(low, 1) - 1)];
  return out;
}

}  // namespace plumb
