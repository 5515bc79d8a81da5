#include "base/statistics/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/rng.h"
#include "base/statistics/bca.h"
#include "base/statistics/resample_counts.h"
#include "base/statistics/summary.h"

namespace plumb {
namespace {

void require_usable(std::span<const double> samples, const BootstrapOptions& options) {
  if (samples.empty())
    throw Error(ErrorKind::kInvariant, "a bootstrap of no samples was asked for");
  for (size_t i = 0; i < samples.size(); ++i)
    if (!std::isfinite(samples[i]))
      throw Error(ErrorKind::kInvariant, text("sample ", i, " of a bootstrap is ", samples[i],
                                              "; needed are finite numbers"));
  if (options.draws < 1 || !(options.level > 0 && options.level < 1))
    throw Error(ErrorKind::kInvariant,
                text("a bootstrap with ", options.draws, " draws at level ", options.level,
                     "; needed are at least 1 and a share in (0, 1)"));
}

std::string how(const char* method, const BootstrapOptions& options) {
  return text(method, " by ", options.unit, ", ", options.draws, " draws, seed ", options.seed);
}

bool all_equal(std::span<const double> samples) {
  return std::all_of(samples.begin(), samples.end(), [&](double x) { return x == samples[0]; });
}

std::vector<double> centred(std::span<const double> samples, double centre) {
  std::vector<double> out(samples.begin(), samples.end());
  for (double& x : out) x -= centre;
  return out;
}

/// Each draw's mean of the centred samples. Centring first keeps the digits of a small spread about
/// a large mean.
std::vector<double> draw_means(std::span<const double> deviations,
                               const BootstrapOptions& options) {
  std::vector<double> means = resampled_sums(deviations, options.draws, options.seed);
  for (double& mean_of_draw : means) mean_of_draw /= static_cast<double>(deviations.size());
  return means;
}

Interval interval_about(double centre, std::vector<double>& means,
                        std::span<const double> deviations, const BootstrapOptions& options) {
  const BcaEnds ends = bca_interval(means, acceleration_of_mean(deviations), options.level);
  return {centre + ends.low, centre + ends.high, options.level, how("BCa", options)};
}

}  // namespace

Interval bootstrap_mean(std::span<const double> samples, const BootstrapOptions& options) {
  require_usable(samples, options);
  if (samples.size() == 1)
    return {samples[0], samples[0], options.level, text("none: one ", options.unit)};
  if (all_equal(samples))
    return {samples[0], samples[0], options.level, text("none: every ", options.unit, " is equal")};
  const double centre = mean(samples);
  const std::vector<double> deviations = centred(samples, centre);
  std::vector<double> means = draw_means(deviations, options);
  return interval_about(centre, means, deviations, options);
}

Interval bootstrap_mean(std::span<const double> samples, std::span<const double> variances,
                        const BootstrapOptions& options) {
  require_usable(samples, options);
  if (variances.size() != samples.size())
    throw Error(ErrorKind::kInvariant,
                text("a bootstrap got ", samples.size(), " samples and ", variances.size(),
                     " variances; needed are as many of each"));
  for (const double v : variances)
    if (!(v >= 0) || !std::isfinite(v))
      throw Error(ErrorKind::kInvariant,
                  text("a variance is ", v, "; needed is a finite one, not negative"));
  if (std::all_of(variances.begin(), variances.end(), [](double v) { return v == 0; }))
    return bootstrap_mean(samples, options);

  const double centre = mean(samples);
  const std::vector<double> deviations = centred(samples, centre);
  std::vector<double> means = draw_means(deviations, options);
  // The errors of the units that a draw picks are independent and normal, so their sum is one
  // normal value whose variance is the sum of the picked variances.
  const std::vector<double> picked = resampled_sums(variances, options.draws, options.seed);
  const auto n = static_cast<double>(samples.size());
  Rng errors(options.seed, kErrorStream);
  for (size_t draw = 0; draw < means.size(); ++draw)
    means[draw] += std::sqrt(picked[draw]) / n * errors.normal();
  Interval interval = interval_about(centre, means, deviations, options);
  interval.method += ", with position errors";
  return interval;
}

Interval bootstrap_difference(std::span<const double> a, std::span<const double> b,
                              const BootstrapOptions& options) {
  if (a.size() != b.size())
    throw Error(ErrorKind::kInvariant, text("a paired difference got ", a.size(), " and ", b.size(),
                                            " units; needed are the same ones on both sides"));
  std::vector<double> differences(a.size());
  std::transform(a.begin(), a.end(), b.begin(), differences.begin(), std::minus<>());
  Interval interval = bootstrap_mean(differences, options);
  interval.method += ", paired";
  return interval;
}

double bootstrap_p_not_above_zero(std::span<const double> samples,
                                  const BootstrapOptions& options) {
  require_usable(samples, options);
  const std::vector<double> sums = resampled_sums(samples, options.draws, options.seed);
  const auto not_above =
      std::count_if(sums.begin(), sums.end(), [](double sum) { return sum <= 0; });
  return static_cast<double>(not_above + 1) / static_cast<double>(options.draws + 1);
}

}  // namespace plumb
