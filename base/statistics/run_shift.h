#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/record.h"

namespace plumb {

/// Times of several processes, each with its own repetitions. What one process does slower or faster than the next is in
/// all of its repetitions, so that a run is one observation, the median of its values, however many they are.
using Runs = std::vector<std::vector<double>>;

/// How far the runs of b lie above those of a: the difference of the means of their medians.
///
/// One run's deviation is pooled over both sides, and at least what its repetitions let its median scatter by:
///
///     s^2 = max( sum over both sides of (median - its side's mean)^2 / (|a| + |b| - 2),  mean of (pi/2) MAD^2 / repetitions )
///
/// with the median absolute deviation as that of a normal. Bounds and p are those of Student's t with |a| + |b| - 2
/// degrees of freedom: exact for normal runs, and by simulation for those of which some are disturbed
/// (harness/gate/times_power_test.cpp).
struct RunShift {
  double before = 0, after = 0;  ///< means of the medians of a and of b
  double shift = 0;              ///< after - before
  double deviation = 0;          ///< of one run
  double error = 0;              ///< of the shift
  int64_t degrees = 0;           ///< 0: one run of each, of which nothing more can be said
  double repeated = 0;  ///< the shift without b's greatest run; where b has one, the shift itself
  double repeated_error = 0;              ///< and its error
  std::optional<Interval> interval = {};  ///< of the shift; none with 0 degrees

  /// One-sided p of "the shift is at most `limit`". 1 with 0 degrees.
  double p_above(double limit) const;
};

/// Error{kInvariant} for no run, a run without values, a value that is not finite, or a level outside of (0, 1).
RunShift run_shift(const Runs& b, const Runs& a, double level = 0.95);

}  // namespace plumb
