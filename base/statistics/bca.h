#pragma once

#include <span>
#include <vector>

namespace plumb {

struct BcaEnds {
  double low = 0;
  double high = 0;
};

/// Acceleration of the mean: sum d^3 / (6 (sum d^2)^1.5) over the deviations d from the mean. This
/// is the jackknife's formula, whose deviations are those of the samples times one factor. 0 where
/// no sample deviates.
double acceleration_of_mean(std::span<const double> deviations);

/// Ends of the BCa interval (Efron 1987, equation 2.3) of a statistic that is 0 on the samples
/// themselves:
///
///     z0 = quantile(share of draws below 0, ties half),  shares = cdf(z0 + (z0 + z) / (1 - a (z0 +
///     z)))
///
/// `draws` (not empty, reordered) are the statistic on resamples. Ends lie between two order
/// statistics, linearly. A draw within rounding of 0, 1e-12 of the largest draw, is a tie. A share
/// of 0 or 1 counts as half a draw away from it, so that z0 stays finite.
BcaEnds bca_interval(std::vector<double>& draws, double acceleration, double level);

}  // namespace plumb
