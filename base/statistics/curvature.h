#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace plumb {

/// Whether a curve of means bends anywhere: second divided differences of y over x,
///
///     2 ((y[i+1] - y[i]) / (x[i+1] - x[i]) - (y[i] - y[i-1]) / (x[i] - x[i-1])) / (x[i+1] - x[i-1]),
///
/// each of the units' mean over its standard error, against the largest that a straight line would show.
struct Curvature {
  std::vector<double> standardised;  ///< [points - 2]
  double largest = 0;                ///< absolute value
  size_t at = 0;                     ///< the point in whose middle it is, 1..points - 2
  /// max-T: the 1 - alpha quantile, over resamples of whole units, of the largest standardised deviation of a resample's second
  /// differences from the sample's. It accounts for all points at once and for what they share.
  double bound = 0;
  double p = 1;  ///< of "straight": (1 + resamples with one as large) / (1 + resamples)
  bool bends() const { return largest > bound; }
};

/// `samples` [point][unit], the same units at every point. A deviation that is within rounding of the values is none.
/// Error{kInvariant} for fewer than 3 points or 2 units, rows of unequal length, x that do not rise strictly, values that are not
/// finite, or an alpha outside of (0, 1).
Curvature curvature(std::span<const double> x, const std::vector<std::vector<double>>& samples,
                    int64_t draws, uint64_t seed, double alpha = 0.05);

}  // namespace plumb
