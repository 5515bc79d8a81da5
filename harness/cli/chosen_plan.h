#pragma once

#include <cstdint>
#include <vector>

#include "harness/cli/common.h"
#include "pruning/plan.h"

namespace plumb::harness {

/// Flags that name one plan: --first, --n, --strategy, --plans, --blocks; --seed is of the command that has them.
std::vector<Flag> block_flags();

/// The plan that they name. Error{kUsage} where they contradict each other, name none, or do not fit a model of `block_count`
/// blocks.
pruning::PruningPlan chosen_plan(const Arguments& arguments, int64_t block_count);

}  // namespace plumb::harness
