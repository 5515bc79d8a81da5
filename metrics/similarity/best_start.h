#pragma once

#include <cstdint>
#include <vector>

#include "metrics/similarity/distance_matrix.h"

namespace plumb::metrics {

/// l*(n), and how sure it is.
struct BestStart {
  int64_t n = 0;
  int64_t first = 0;     ///< smallest l in 0..L-n with the least mean distance
  double stability = 0;  ///< share of the resamples of documents with the same argmin, in [0, 1]
};

/// l*(n) for n = 1..L-1. Stability: `draws` resamples of the documents with replacement, those of
/// base/statistics/bootstrap.h's `resample`, the argmin by the same rule. Error{kInvariant} for
/// fewer than one draw.
std::vector<BestStart> best_starts(const DistanceMatrix& distances, int64_t draws, uint64_t seed);

}  // namespace plumb::metrics
