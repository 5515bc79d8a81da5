#pragma once

#include <functional>

#include "metrics/similarity/distance_matrix.h"
#include "models/decoder.h"
#include "models/documents.h"

namespace plumb::metrics {

/// Called with documents done and documents in all.
using Progress = std::function<void(int64_t, int64_t)>;

/// One pass over `batch`, `documents_per_step` at a time: keeps the L + 1 last-token states of each document.
/// Error{kInput} naming block and document when a state is zero or not finite.
Profile profile(const models::Decoder& decoder, const models::TokenBatch& batch,
                int64_t documents_per_step, const Progress& progress = {});

/// l*(n) for n = 1..L-1 with its stability: the share of `draws` seeded document resamples with the same argmin.
struct BestStart {
  int64_t n;
  int64_t first;
  double stability;
};
std::vector<BestStart> best_starts(const DistanceMatrix& distances, int64_t draws, uint64_t seed);

}  // namespace plumb::metrics
