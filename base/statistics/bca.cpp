#include "base/statistics/bca.h"

#include <algorithm>
#include <cmath>

#include "base/statistics/summary.h"

namespace plumb {
namespace {

/// Order statistic at `share` of the way from the least to the greatest draw, linear between
/// neighbours.
double quantile_of(std::vector<double>& draws, double share) {
  const double position = share * static_cast<double>(draws.size() - 1);
  const auto below = std::min(static_cast<size_t>(position), draws.size() - 1);
  const auto at = draws.begin() + static_cast<std::ptrdiff_t>(below);
  std::nth_element(draws.begin(), at, draws.end());
  const double low = *at;
  if (below + 1 == draws.size()) return low;
  const double high = *std::min_element(at + 1, draws.end());
  return low + (position - static_cast<double>(below)) * (high - low);
}

double bias(const std::vector<double>& draws) {
  double largest = 0;
  for (const double draw : draws) largest = std::max(largest, std::abs(draw));
  const double rounding = 1e-12 * largest;
  double below = 0;
  for (const double draw : draws) below += draw < -rounding ? 1.0 : draw <= rounding ? 0.5 : 0.0;
  const auto count = static_cast<double>(draws.size());
  return normal_quantile(std::clamp(below, 0.5, count - 0.5) / count);
}

double corrected_share(double z0, double z, double acceleration) {
  const double shifted = z0 + z;
  const double denominator = 1 - acceleration * shifted;
  if (denominator <= 0) return shifted > 0 ? 1 : 0;  // past the pole: the end is the last draw
  return normal_cdf(z0 + shifted / denominator);
}

}  // namespace

double acceleration_of_mean(std::span<const double> deviations) {
  double squares = 0, cubes = 0;
  for (const double d : deviations) {
    squares += d * d;
    cubes += d * d * d;
  }
  return squares > 0 ? cubes / (6 * squares * std::sqrt(squares)) : 0;
}

BcaEnds bca_interval(std::vector<double>& draws, double acceleration, double level) {
  const double z0 = draws.size() == 1 ? 0 : bias(draws);
  const double z = normal_quantile(0.5 + level / 2);
  const double low = quantile_of(draws, corrected_share(z0, -z, acceleration));
  return {low, quantile_of(draws, corrected_share(z0, z, acceleration))};
}

}  // namespace plumb
