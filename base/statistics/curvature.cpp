#include "base/statistics/curvature.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/statistics/resample_counts.h"
#include "base/statistics/summary.h"

namespace plumb {
namespace {

void require_curve(std::span<const double> x, const std::vector<std::vector<double>>& samples,
                   int64_t draws, double alpha) {
  bool fits = x.size() >= 3 && samples.size() == x.size() && draws >= 1 && alpha > 0 && alpha < 1;
  for (size_t i = 0; fits && i < x.size(); ++i) {
    fits = std::isfinite(x[i]) && (i == 0 || x[i] > x[i - 1]);
    fits = fits && samples[i].size() == samples[0].size() && samples[i].size() >= 2;
    for (const double y : samples[i]) fits = fits && std::isfinite(y);
  }
  if (!fits)
    throw Error(ErrorKind::kInvariant,
                text("the curvature of ", x.size(), " points of ", samples.size(),
                     " rows; needed are 3 rising points and as many finite values of 2 or more "
                     "units at each, a draw and an alpha in (0, 1)"));
}

double second_difference(std::span<const double> x, const std::vector<std::vector<double>>& y,
                         size_t i, size_t unit) {
  const double after = (y[i + 1][unit] - y[i][unit]) / (x[i + 1] - x[i]);
  const double before = (y[i][unit] - y[i - 1][unit]) / (x[i] - x[i - 1]);
  return 2 * (after - before) / (x[i + 1] - x[i - 1]);
}

/// What rounding of the values alone can make of a second difference.
double rounding_of(std::span<const double> x, const std::vector<std::vector<double>>& y, size_t i) {
  double largest = 0;
  for (size_t k = i - 1; k <= i + 1; ++k)
    for (const double value : y[k]) largest = std::max(largest, std::abs(value));
  const double gap = std::min(x[i + 1] - x[i], x[i] - x[i - 1]);
  return 0x1p-46 * largest / (gap * gap);
}

double standard_error(double sum, double squares, double units) {
  const double spread = std::max(0.0, squares - sum * sum / units);
  return std::sqrt(spread / (units - 1) / units);
}

}  // namespace

Curvature curvature(std::span<const double> x, const std::vector<std::vector<double>>& samples,
                    int64_t draws, uint64_t seed, double alpha) {
  require_curve(x, samples, draws, alpha);
  const size_t units = samples[0].size();
  const auto n = static_cast<double>(units);
  Curvature out;
  std::vector<double> largest(static_cast<size_t>(draws), 0.0);
  for (size_t i = 1; i + 1 < x.size(); ++i) {
    std::vector<double> centred(units), squares(units);
    for (size_t u = 0; u < units; ++u) centred[u] = second_difference(x, samples, i, u);
    const double centre = mean(centred), least = rounding_of(x, samples, i);
    double sum = 0;
    for (size_t u = 0; u < units; ++u) {
      centred[u] -= centre;
      squares[u] = centred[u] * centred[u];
      sum += squares[u];
    }
    const double t = centre / std::max(least, standard_error(0, sum, n));
    out.standardised.push_back(t);
    if (std::abs(t) > out.largest || i == 1) {
      out.largest = std::abs(t);
      out.at = i;
    }
    const auto sums = resampled_sums(centred, draws, seed);
    const auto sums_of_squares = resampled_sums(squares, draws, seed);
    for (size_t draw = 0; draw < largest.size(); ++draw) {
      const double error = std::max(least, standard_error(sums[draw], sums_of_squares[draw], n));
      largest[draw] = std::max(largest[draw], std::abs(sums[draw] / n) / error);
    }
  }
  const auto as_large = std::count_if(largest.begin(), largest.end(),
                                      [&](double value) { return value >= out.largest; });
  out.p = static_cast<double>(as_large + 1) / static_cast<double>(draws + 1);
  out.bound = percentile(largest, 1 - alpha);
  return out;
}

}  // namespace plumb
