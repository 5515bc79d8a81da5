#pragma once

#include <span>

#include "base/record.h"

namespace plumb {

/// Mann-Kendall test of a monotone trend of y over x (tie-corrected, continuity-corrected; exact
/// for n <= 10 without ties). Error{kInvariant} where the lengths differ or there are fewer than 3
/// points.
struct TrendTest {
  double s = 0;  ///< sum of sign(y_j - y_i), i < j in order of x
  double z = 0;
  double p_falling = 1;  ///< one-sided: of so low an S without a trend
  double p_rising = 1;
  bool exact = false;
};
TrendTest mann_kendall(std::span<const double> x, std::span<const double> y);

/// Theil-Sen slope with Sen's interval.
struct SlopeEstimate {
  double slope = 0;
  double intercept = 0;  ///< median of y - slope x
  Interval interval;
};
SlopeEstimate theil_sen(std::span<const double> x, std::span<const double> y, double level = 0.95);

}  // namespace plumb
