#include "base/statistics/summary.h"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace plumb {
namespace {

void require_finite_samples(std::span<const double> samples, const char* statistic) {
  if (samples.empty())
    throw Error(ErrorKind::kInvariant, text("the ", statistic, " of no samples was asked for"));
  for (size_t i = 0; i < samples.size(); ++i)
    if (!std::isfinite(samples[i]))
      throw Error(ErrorKind::kInvariant, text("sample ", i, " of a ", statistic, " is ", samples[i],
                                              "; needed are finite numbers"));
}

void require_share(double p, bool one_allowed, const char* what) {
  if (!(p > 0) || !(p < 1 || (one_allowed && p == 1)))
    throw Error(ErrorKind::kInvariant,
                text(what, " is ", p, "; needed is a share in (0, 1", one_allowed ? "]" : ")"));
}

}  // namespace

double mean(std::span<const double> samples) {
  require_finite_samples(samples, "mean");
  return std::accumulate(samples.begin(), samples.end(), 0.0) / static_cast<double>(samples.size());
}

double variance(std::span<const double> samples) {
  require_finite_samples(samples, "variance");
  if (samples.size() == 1) return 0;
  const double centre = mean(samples);
  double squares = 0;
  for (const double x : samples) squares += (x - centre) * (x - centre);
  return squares / static_cast<double>(samples.size() - 1);
}

double median(std::span<const double> samples) {
  require_finite_samples(samples, "median");
  std::vector<double> sorted(samples.begin(), samples.end());
  std::sort(sorted.begin(), sorted.end());
  const size_t half = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[half] : sorted[half - 1] / 2 + sorted[half] / 2;
}

double percentile(std::span<const double> samples, double p) {
  require_finite_samples(samples, "percentile");
  require_share(p, true, "a percentile");
  std::vector<double> sorted(samples.begin(), samples.end());
  std::sort(sorted.begin(), sorted.end());
  // 0.07 * 100 is a hair above 7 in doubles: a product within its rounding of an integer is that
  // integer.
  const double rank = p * static_cast<double>(sorted.size());
  const double whole = std::round(rank);
  const double index = std::abs(rank - whole) <= 1e-15 * rank ? whole : std::ceil(rank);
  return sorted[static_cast<size_t>(std::max(index, 1.0)) - 1];
}

double normal_quantile(double p) {
  require_share(p, false, "a normal quantile's argument");
  return boost::math::quantile(boost::math::normal(), p);
}

double normal_cdf(double z) {
  if (std::isnan(z))
    throw Error(ErrorKind::kInvariant, "the normal distribution at a NaN was asked for");
  if (std::isinf(z)) return z > 0 ? 1 : 0;
  return boost::math::cdf(boost::math::normal(), z);
}

std::vector<double> holm(std::span<const double> p_values) {
  for (const double p : p_values)
    if (!(p >= 0 && p <= 1))
      throw Error(ErrorKind::kInvariant, text("a p-value is ", p, "; needed is a share in [0, 1]"));
  std::vector<size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(p_values.size());
  double running = 0;
  for (size_t rank = 0; rank < order.size(); ++rank) {
    const auto remaining = static_cast<double>(order.size() - rank);
    running = std::max(running, std::min(1.0, remaining * p_values[order[rank]]));
    adjusted[order[rank]] = running;
  }
  return adjusted;
}

}  // namespace plumb
