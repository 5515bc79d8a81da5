#include "base/statistics/sample_size.h"

#include <algorithm>
#include <boost/math/distributions/chi_squared.hpp>
#include <cmath>

#include "base/error.h"
#include "base/statistics/summary.h"

namespace plumb {
namespace {

constexpr double kMost = 1e9;

void require_share(double value, const char* what) {
  if (!(value > 0 && value < 1))
    throw Error(ErrorKind::kInvariant,
                text("a ", what, " of ", value, "; needed is a share in (0, 1)"));
}

void require_plan(double deviation, double distance, double alpha, double power) {
  require_share(alpha, "level");
  require_share(power, "power");
  if (!(deviation >= 0) || !(distance >= 0))
    throw Error(ErrorKind::kInvariant,
                text("a deviation of ", deviation, " and a distance of ", distance));
}

}  // namespace

double deviation_bound(double deviation, int64_t units, double confidence) {
  require_share(confidence, "confidence");
  if (!(deviation >= 0) || !std::isfinite(deviation) || units < 2)
    throw Error(ErrorKind::kInvariant, text("a deviation of ", deviation, " over ", units,
                                            " units; needed is a finite one over at least 2"));
  const auto degrees = static_cast<double>(units - 1);
  const double low = boost::math::quantile(boost::math::chi_squared(degrees), 1 - confidence);
  return deviation * std::sqrt(degrees / low);
}

std::optional<int64_t> units_to_tell(double deviation, double distance, double alpha,
                                     double power) {
  require_plan(deviation, distance, alpha, power);
  const double z = normal_quantile(1 - alpha);
  const double n = std::pow((z + normal_quantile(power)) * deviation / distance, 2) + z * z / 2;
  if (!(n <= kMost)) return std::nullopt;
  return std::max<int64_t>(2, std::llround(std::ceil(n)));
}

std::optional<int64_t> units_of_each_to_tell(double deviation, double distance, double alpha,
                                             double power) {
  require_plan(deviation, distance, alpha, power);
  // The normal's n is below Student's by no more than a few, so that the search is short.
  const double z = normal_quantile(1 - alpha) + normal_quantile(power);
  const double least = std::floor(2 * std::pow(z * deviation / distance, 2));
  if (!(least <= kMost)) return std::nullopt;
  for (auto n = std::max<int64_t>(2, std::llround(least));; ++n) {
    const auto degrees = static_cast<double>(2 * (n - 1));
    const double t = t_quantile(1 - alpha, degrees) + t_quantile(power, degrees);
    if (t * deviation * std::sqrt(2 / static_cast<double>(n)) <= distance) return n;
  }
}

}  // namespace plumb
