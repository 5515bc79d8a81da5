#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace plumb {

/// The least n of independent samples with which some sample lies above percentile p with 95 % confidence: 1 - p^n >=
/// 0.95. 29 for 0.90, 59 for 0.95, 299 for 0.99.
int64_t least_samples_for_percentile(double p);

/// A percentile of a distribution's tail, or why so few samples cannot tell it.
struct TailPercentile {
  std::optional<double> value;  ///< sorted[ceil(p n) - 1]
  double low = 0;               ///< with 95 % confidence each: the percentile is at least this,
  double high = 0;              ///< and at most that, by order statistics
  std::string reason;           ///< "n/a: ..." where there is no value
};

/// Of independent samples, p in (0, 1). Bounds are order statistics: the k-th smallest is an upper bound where
/// P(Bin(n, p) <= k - 1) >= 0.95.
TailPercentile tail_percentile(std::span<const double> samples, double p);

}  // namespace plumb
