#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/record.h"

namespace plumb {

struct BootstrapOptions {
  int64_t draws = 10000;
  uint64_t seed = 0;
  double level = 0.95;
  std::string unit = "document";  ///< what one sample is, for the interval's `method`
};

/// BCa interval (Efron 1987) of the mean of `samples`, which are independent units (documents,
/// never tokens). One sample, or all equal: the interval is the point and its method says so.
/// Error{kInvariant} for none or a value that is not finite.
Interval bootstrap_mean(std::span<const double> samples, const BootstrapOptions& options = {});

/// The same where each unit's value is itself a mean over a random subset with the given variance:
/// every draw adds a normal error of that variance to the unit it picks, so the interval is wider
/// by what the subsampling costs.
Interval bootstrap_mean(std::span<const double> samples, std::span<const double> variances,
                        const BootstrapOptions& options = {});

/// Paired difference a - b by unit. Error{kInvariant} where the lengths differ.
Interval bootstrap_difference(std::span<const double> a, std::span<const double> b,
                              const BootstrapOptions& options = {});

/// Share of resampled means that are <= 0 (with +1 correction): one-sided p of "the mean is above
/// 0".
double bootstrap_p_not_above_zero(std::span<const double> samples,
                                  const BootstrapOptions& options = {});

/// One resample of 0..n-1 with replacement: draw `draw` of the given seed. The same for every
/// statistic, so resamples of units can be shared between statistics.
void resample(int64_t n, uint64_t seed, uint64_t draw, std::vector<int64_t>& out);

}  // namespace plumb
