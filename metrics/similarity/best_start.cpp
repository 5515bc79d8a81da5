#include "metrics/similarity/best_start.h"

#include <algorithm>

#include "base/error.h"
#include "base/statistics/resample_counts.h"

namespace plumb::metrics {
namespace {

/// How often each l is the smallest with the least sum; [L - n + 1]. A sum and a mean have the same
/// argmin.
std::vector<int64_t> argmin_counts(const DistanceMatrix& distances, int64_t n, int64_t draws,
                                   uint64_t seed) {
  std::vector<double> least = resampled_sums(distances.values(n, 0), draws, seed);
  std::vector<int64_t> argmin(least.size(), 0);
  const int64_t starts = distances.block_count() - n + 1;
  for (int64_t l = 1; l < starts; ++l) {
    const std::vector<double> sums = resampled_sums(distances.values(n, l), draws, seed);
    for (size_t draw = 0; draw < sums.size(); ++draw)
      if (sums[draw] < least[draw]) {
        least[draw] = sums[draw];
        argmin[draw] = l;
      }
  }
  std::vector<int64_t> counts(static_cast<size_t>(starts), 0);
  for (const int64_t l : argmin) ++counts[static_cast<size_t>(l)];
  return counts;
}

}  // namespace

std::vector<BestStart> best_starts(const DistanceMatrix& distances, int64_t draws, uint64_t seed) {
  if (draws < 1)
    throw Error(ErrorKind::kInvariant,
                text("stability from ", draws, " resamples was asked for; at least 1 is needed"));
  std::vector<BestStart> starts;
  for (int64_t n = 1; n < distances.block_count(); ++n) {
    const int64_t first = distances.best_start(n);
    const auto counts = argmin_counts(distances, n, draws, seed);
    const auto same = static_cast<double>(counts[static_cast<size_t>(first)]);
    starts.push_back({n, first, same / static_cast<double>(draws)});
  }
  return starts;
}

}  // namespace plumb::metrics
