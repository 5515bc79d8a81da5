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
  require_share(alpha, "level");
  require_share(power, "power");
  if (!(deviation >= 0) || !(distance >= 0))
    throw Error(ErrorKind::kInvariant,
                text("a deviation of ", deviation, " and a distance of ", distance));
  const double z = normal_quantile(1 - alpha);
  const double n = std::pow((z + normal_quantile(power)) * deviation / distance, 2) + z * z / 2;
  if (!(n <= kMost)) return std::nullopt;
  return std::max<int64_t>(2, std::llround(std::ceil(n)));
}

}  // namespace plumb
