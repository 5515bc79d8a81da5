#include "base/statistics/simultaneous.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/statistics/resample_counts.h"
#include "base/statistics/summary.h"

namespace plumb {
namespace {

void require_rows(const std::vector<std::vector<double>>& samples, int64_t draws, double alpha) {
  bool fits = !samples.empty() && draws >= 1 && alpha > 0 && alpha < 1;
  for (const auto& row : samples) {
    fits = fits && row.size() == samples[0].size() && row.size() >= 2;
    for (const double value : row) fits = fits && std::isfinite(value);
  }
  if (!fits)
    throw Error(ErrorKind::kInvariant,
                text("a band over ", samples.size(),
                     " points; needed are as many finite values of 2 or more units at each, a draw "
                     "and an alpha in (0, 1)"));
}

double standard_error(double sum, double squares, double units) {
  return std::sqrt(std::max(0.0, squares - sum * sum / units) / (units - 1) / units);
}

}  // namespace

SimultaneousBand simultaneous_band(const std::vector<std::vector<double>>& samples, int64_t draws,
                                   uint64_t seed, double alpha) {
  require_rows(samples, draws, alpha);
  const size_t units = samples[0].size();
  const auto n = static_cast<double>(units);
  SimultaneousBand out;
  std::vector<double> largest(static_cast<size_t>(draws), 0.0);
  bool spread = false;
  for (const auto& row : samples) {
    const double centre = mean(row);
    std::vector<double> centred(units), squares(units);
    double most = 0, sum_of_squares = 0;
    for (size_t u = 0; u < units; ++u) {
      centred[u] = row[u] - centre;
      squares[u] = centred[u] * centred[u];
      sum_of_squares += squares[u];
      most = std::max(most, std::abs(row[u]));
    }
    // What rounding of the values alone can make of an error.
    const double least = 0x1p-46 * most;
    double error = standard_error(0, sum_of_squares, n);
    if (error <= least) error = 0;
    out.mean.push_back(centre);
    out.error.push_back(error);
    if (error == 0) continue;
    spread = true;
    const auto sums = resampled_sums(centred, draws, seed);
    const auto sums_of_squares = resampled_sums(squares, draws, seed);
    for (size_t draw = 0; draw < largest.size(); ++draw) {
      // A resample may have picked equal units alone: the sample's own error stands in.
      const double own = standard_error(sums[draw], sums_of_squares[draw], n);
      largest[draw] =
          std::max(largest[draw], std::abs(sums[draw] / n) / (own > least ? own : error));
    }
  }
  if (spread) out.factor = percentile(largest, 1 - alpha);
  return out;
}

}  // namespace plumb
