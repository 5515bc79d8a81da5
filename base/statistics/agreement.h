#pragma once

#include <span>

namespace plumb {

/// How far two curves at the same points agree.
struct Agreement {
  double rmse = 0;  ///< root of the mean squared difference
  /// Lin's concordance (1989, Biometrics 45:255), of moments over n:
  /// 2 s_ab / (s_aa + s_bb + (mean a - mean b)^2). 1: equal at every point; 0 where both are constant and differ.
  double concordance = 0;
  double largest = 0;  ///< absolute difference
};

/// Error{kInvariant} for no point, unequal lengths, or a value that is not finite.
Agreement agreement(std::span<const double> a, std::span<const double> b);

/// y at `x` on the line between its neighbours; xs rise strictly, x is within their range.
/// Error{kInvariant} otherwise.
double interpolated(std::span<const double> xs, std::span<const double> ys, double x);

}  // namespace plumb
