#pragma once

#include <cstdint>
#include <span>

namespace plumb::pruning {

/// Mean over a document's positions, and the variance of that mean as an estimate of the mean over
/// the `population` positions that they were drawn from without replacement:
///
///     variance = s^2 / P * (1 - P / population),   s^2 with P - 1; 0 where P = population
struct PositionMean {
  double mean = 0;
  double variance = 0;
};

/// Sums in double, in order. Error{kInvariant} for none, for more than the population, or for one
/// of several (its variance is unknown).
PositionMean position_mean(std::span<const float> losses, int64_t population);

}  // namespace plumb::pruning
