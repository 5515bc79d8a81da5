#pragma once

#include <cstdint>
#include <optional>

namespace plumb {

/// How many units (documents, questions, repetitions) tell an effect from a limit. Errors: Error{kInvariant} for a level,
/// power or confidence outside of (0, 1), fewer than 2 units behind a deviation, or a negative number.

/// Upper confidence bound of the standard deviation behind that of `units` normal values: the estimate is off by a
/// third for ten, and half of all plans that take it as it is are too small (Browne 1995, Stat Med 14:1933).
double deviation_bound(double deviation, int64_t units, double confidence = 0.9);

/// Smallest n at which a mean of n independent values, `distance` away from the limit, is seen beyond it by a one-sided
/// test of level `alpha` with probability `power`:
///
///     n >= ((z(1 - alpha) + z(power)) deviation / distance)^2 + z(1 - alpha)^2 / 2
///
/// The last term is what Student's t needs beyond the normal (Guenther 1981, Am Stat 35:243). None beyond 10^9, as where
/// the distance is 0.
std::optional<int64_t> units_to_tell(double deviation, double distance, double alpha,
                                     double power = 0.8);

/// Smallest n at which the difference of two means of n independent values each, `deviation` being that of one value, is
/// seen beyond a limit `distance` away by a one-sided test of level `alpha` with probability `power`:
///
///     distance >= (t(1 - alpha) + t(power)) deviation sqrt(2 / n)     with 2 (n - 1) degrees of freedom
///
/// which of normal values is the noncentral t's n, or one more.
std::optional<int64_t> units_of_each_to_tell(double deviation, double distance, double alpha,
                                             double power = 0.8);

}  // namespace plumb
