#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "metrics/similarity/distance_matrix.h"
#include "pruning/plan.h"

namespace plumb::pruning {

/// What strategies may look at; a strategy that needs what is not there is Error{kUsage}.
struct StrategyInputs {
  int64_t block_count = 0;
  const metrics::Profile* profile = nullptr;  ///< for similarity and block-influence
  uint64_t seed = 0;                          ///< for random
  std::vector<int64_t> explicit_blocks;       ///< for explicit
};

/// The plan of `strategy` that removes n blocks. n = 0 gives the plan that removes nothing.
///
///     similarity       [l*(n), l*(n) + n): l* is the smallest l with the least mean distance
///     simple           [L-1-n, L-1): the deepest blocks but the last one
///     deepest          [L-n, L): the deepest blocks, the last one among them
///     random           contiguous, start uniform over 0..L-n, a function of seed and n alone
///     block-influence  the n blocks of least influence, ties to the deeper block
///     explicit         the listed blocks; n must be their number
///
/// n is in 0..L-1 for all of them.
///
/// Error{kUsage} for an unknown strategy (with the list) or n out of range.
PruningPlan make_plan(const std::string& strategy, int64_t n, const StrategyInputs& inputs);

/// Names of all strategies, in the order above.
std::span<const std::string> strategy_names();

}  // namespace plumb::pruning
