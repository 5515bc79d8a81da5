#include "base/statistics/summary.h"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
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

void require_degrees(double degrees) {
  if (!(degrees > 0))
    throw Error(ErrorKind::kInvariant, text("a t distribution of ", degrees,
                                            " degrees of freedom; needed are more than 0"));
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

double t_quantile(double p, double degrees) {
  require_degrees(degrees);
  if (std::isinf(degrees)) return normal_quantile(p);
  require_share(p, false, "a t quantile's argument");
  return boost::math::quantile(boost::math::students_t(degrees), p);
}

double t_cdf(double t, double degrees) {
  require_degrees(degrees);
  if (std::isinf(degrees) || !std::isfinite(t)) return normal_cdf(t);
  return boost::math::cdf(boost::math::students_t(degrees), t);
}

}  // namespace plumb
