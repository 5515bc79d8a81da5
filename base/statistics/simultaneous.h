#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace plumb {

/// A band that holds a whole curve of means at once: mean ± factor * error at every point.
struct SimultaneousBand {
  std::vector<double> mean;   ///< [point]
  std::vector<double> error;  ///< standard error of the mean; 0 where all units are equal
  /// max-T: the 1 - alpha quantile, over resamples of whole units, of the largest standardised deviation of a resample's
  /// means from the sample's. Points without spread say nothing of it. 0 where none has any.
  double factor = 0;
  double low(size_t point) const { return mean[point] - factor * error[point]; }
  double high(size_t point) const { return mean[point] + factor * error[point]; }
};

/// `samples` [point][unit], the same units at every point, so that what the points share is in the resamples.
/// Error{kInvariant} for no point, fewer than 2 units, rows of unequal length, values that are not finite, no draw, or an
/// alpha outside of (0, 1).
SimultaneousBand simultaneous_band(const std::vector<std::vector<double>>& samples, int64_t draws,
                                   uint64_t seed, double alpha = 0.05);

}  // namespace plumb
