#include "base/statistics/run_shift.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "base/statistics/summary.h"

namespace plumb {
namespace {

/// 1 / the normal's third quartile: a normal's deviation over its median absolute one.
constexpr double kMadToDeviation = 1.4826022185056018;

struct Side {
  std::vector<double> medians;
  double centre = 0;
  double squares = 0;  ///< sum of squares about the centre
  double within = 0;   ///< sum of what the medians' variances are by their repetitions
};

/// The median's variance, of values that are normal but for a few: the median absolute deviation passes over those as the median does.
double median_variance(const std::vector<double>& values, double centre) {
  std::vector<double> distances;
  for (const double value : values) distances.push_back(std::abs(value - centre));
  const double deviation = kMadToDeviation * median(distances);
  return std::numbers::pi / 2 * deviation * deviation / static_cast<double>(values.size());
}

Side side_of(const Runs& runs) {
  Side out;
  for (const auto& run : runs) {
    if (run.empty() || !std::ranges::all_of(run, [](double v) { return std::isfinite(v); }))
      throw Error(ErrorKind::kInvariant, "a run without values, or with one that is not finite");
    out.medians.push_back(median(run));
    out.within += median_variance(run, out.medians.back());
  }
  out.centre = mean(out.medians);
  for (const double value : out.medians) out.squares += (value - out.centre) * (value - out.centre);
  return out;
}

}  // namespace

double RunShift::p_above(double limit) const {
  if (degrees == 0) return 1;
  if (error == 0) return shift > limit ? 0 : 1;
  return t_cdf((limit - shift) / error, static_cast<double>(degrees));
}

RunShift run_shift(const Runs& b, const Runs& a, double level) {
  if (a.empty() || b.empty() || !(level > 0 && level < 1))
    throw Error(ErrorKind::kInvariant,
                text("an interval of level ", level, " of ", b.size(), " and ", a.size(), " runs"));
  const Side before = side_of(a), after = side_of(b);
  const auto n = static_cast<double>(a.size()), m = static_cast<double>(b.size());
  RunShift out;
  out.before = before.centre;
  out.after = after.centre;
  out.shift = out.repeated = after.centre - before.centre;
  if (b.size() > 1)
    out.repeated =
        (m * after.centre - *std::ranges::max_element(after.medians)) / (m - 1) - before.centre;
  out.degrees = static_cast<int64_t>(a.size() + b.size()) - 2;
  double variance = (before.within + after.within) / (n + m);
  if (out.degrees > 0)
    variance =
        std::max(variance, (before.squares + after.squares) / static_cast<double>(out.degrees));
  out.deviation = std::sqrt(variance);
  out.error = out.deviation * std::sqrt(1 / n + 1 / m);
  out.repeated_error = out.deviation * std::sqrt(1 / n + 1 / std::max(1.0, m - 1));
  if (out.degrees == 0) return out;
  const double reach = t_quantile((1 + level) / 2, static_cast<double>(out.degrees)) * out.error;
  out.interval = Interval{out.shift - reach, out.shift + reach, level,
                          text("Student's t of runs, ", out.degrees, " degrees of freedom")};
  return out;
}

}  // namespace plumb
