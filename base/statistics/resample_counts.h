#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace plumb {

/// Stream of the normal errors that a draw adds to its units; those of resamples are the draws'
/// numbers.
constexpr uint64_t kErrorStream = ~uint64_t{0};

/// For each draw of `resample(values.size(), seed, draw)`, the sum of the values it picks; [draws].
///
/// How often each draw picks each unit depends on the number of units, the seed and the draws
/// alone, so a table of these counts is kept for the next statistic of the same units: a sum is
/// then one pass over the table without any random access. The sums are a pure function of the
/// arguments on every x86-64 machine: fixed order, no contraction to fused multiply-adds. Thread
/// rule: may be called from several threads.
std::vector<double> resampled_sums(std::span<const double> values, int64_t draws, uint64_t seed);

}  // namespace plumb
